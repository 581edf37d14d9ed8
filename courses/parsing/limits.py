"""How much of a file is read before it is refused."""

MAX_PAGES = 3_000
MAX_CHARACTERS = 10_000_000
MAX_ARCHIVE_FILES = 500
MAX_ARCHIVE_BYTES = 1_000_000_000
MAX_ARCHIVE_RATIO = 100
MAX_ARCHIVE_DEPTH = 8  # folders within folders
