"""Reading a JSON file piece by piece."""

from collections.abc import Iterator
from typing import IO, Any

import ijson

# Files that wrap their conversations in an object do so under one of these names.
WRAPPERS = ("sessions", "conversations")


class Unreadable(Exception):
    """What can't be imported, in words for whoever sent it."""


def conversations(file: IO[bytes]) -> Iterator[Any]:
    """Each conversation of a file: the items of an array, the lines of JSON Lines, or the one object that there is."""
    try:
        prefix = _prefix(file)
        file.seek(0)
        yield from ijson.items(file, prefix, use_float=True, multiple_values=prefix == "")
    except ijson.JSONError as error:
        message = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise Unreadable(f"The file is no JSON: {message}.") from None
    except (UnicodeDecodeError, RecursionError, OverflowError):
        raise Unreadable("The file is no JSON that can be read.") from None


def _prefix(file: IO[bytes]) -> str:
    for prefix, event, value in ijson.parse(file, multiple_values=True):
        if event == "start_array":
            return "item" if prefix == "" else f"{prefix}.item"
        if event == "map_key" and value not in WRAPPERS:
            return ""
        if event not in ("start_map", "map_key"):
            return ""
    return ""
