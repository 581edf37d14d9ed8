"""Django's PostgreSQL, with pooled connections that prove themselves alive without a question: see `base`."""
