"""Django's SQLite, with threads of one process that queue for the one writer there can be: see `base`."""
