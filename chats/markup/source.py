"""What happens to a text before Markdown sees it, and the marks that stand for finished HTML in it.

A mark is a number between two Unicode noncharacters. They can't occur in a cleaned text, so whatever stands
between them was put there by this package.
"""

import re
from collections.abc import Callable, Sequence

MARK_OPEN = "\ufdd0"
MARK_CLOSE = "\ufdd1"
MARK = re.compile(f"{MARK_OPEN}([0-9]+){MARK_CLOSE}")

# The one piece of raw HTML that is obeyed: table cells have no other way to break a line, and models use it.
LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)

_DROPPED = re.compile("[\x01-\x08\x0b-\x1f\x7f]")
_REPLACED = re.compile("[\x00\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def clean(text: str) -> str:
    """The text without control characters; NUL, lone surrogates and noncharacters become U+FFFD.

    Character by character, so that a text cleaned in pieces equals the whole text cleaned.
    """
    return _REPLACED.sub("\ufffd", _DROPPED.sub("", text))


def mark(number: int) -> str:
    """The mark of that number."""
    return f"{MARK_OPEN}{number}{MARK_CLOSE}"


def fill_marks(text: str, values: Sequence[str]) -> str:
    """The text with each mark replaced by the value of its number."""
    if MARK_OPEN not in text:
        return text
    replace: Callable[[re.Match[str]], str] = lambda found: values[int(found[1])]  # noqa: E731
    return MARK.sub(replace, text)
