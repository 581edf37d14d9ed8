"""What a query says: words and phrases, as the index holds them."""

import re
import unicodedata
from dataclasses import dataclass

QUERY_CHARACTERS = 400
QUERY_TERMS = 16
# The same ranges as in the migration that made the index: what separates words besides spaces.
SEPARATORS = (
    "\\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xa9\xab-\xb4\xb6-\xb9\xbb-\xbf\xd7\xf7\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff"
    "\u2e00-\u2e7f\u3000-\u303f\ufe10-\ufe6f\uff00-\uff0f\U0001f000-\U0001faff"
)
WORD = re.compile(f"[^{SEPARATORS}]+")
PIECE = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True)
class Term:
    """Words that follow each other; with `is_prefix` the last of them may go on."""

    words: tuple[str, ...]
    is_prefix: bool


def fold(text: str) -> str:
    """`text` in small letters without accents, as the index holds it."""
    text = text.lower()
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not "\u0300" <= c <= "\u036f")


def parse(query: str) -> list[Term]:
    """The terms of a query, all of which must occur."""
    pieces = list(PIECE.finditer(query[:QUERY_CHARACTERS]))[:QUERY_TERMS]
    terms = []
    for number, piece in enumerate(pieces):
        phrase, word = piece.group(1), piece.group(2)
        words = tuple(WORD.findall(fold(phrase or word or "")))
        goes_on = word is not None and (word.endswith("*") or number == len(pieces) - 1)
        if words:
            # One letter alone would match nearly everything.
            terms.append(Term(words, goes_on and (len(words[-1]) > 1 or not words[-1].isascii())))
    return terms
