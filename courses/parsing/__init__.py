"""Files in many formats become blocks of text with their place.

Knows neither Django nor the database: it runs in a child process of its own (`python -m courses.parsing`), started and
limited by `courses.sandbox`, because what it reads is not to be trusted.
"""
