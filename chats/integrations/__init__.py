"""Stores for agent frameworks: the site's conversations as their memory. Each needs its own optional package."""
