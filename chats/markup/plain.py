"""Markdown to plain text, for titles, search snippets and announcements."""

from collections.abc import Iterator

from pyromark.event import Event

from chats.markup.formulas import extract
from chats.markup.parser import markdown
from chats.markup.source import LINE_BREAK, clean, fill_marks

# Of the source this much at most is read per character asked for: markup is rarely more than the text.
_SOURCE_PART = 4
_SOURCE_SPARE = 2_000


def plain_text(text: str, limit: int) -> str:
    """What a reader would see, in one line of at most `limit` characters, cut at a word with "…"."""
    source = extract(clean(text[: limit * _SOURCE_PART + _SOURCE_SPARE]))
    words = "".join(_pieces(markdown.events(source.text))).strip()
    plain = " ".join(fill_marks(words, [formula.latex for formula in source.formulas]).split())
    if len(plain) <= limit:
        return plain
    if limit < 1:
        return ""
    cut = plain[: limit - 1]
    at_word = cut.rpartition(" ")[0]
    return (at_word if len(at_word) > limit // 2 and plain[limit - 1] != " " else cut).rstrip() + "…"


def _pieces(events: Iterator[Event]) -> Iterator[str]:
    for event in events:
        if isinstance(event, str):
            yield " "
            continue
        kind, value = next(iter(event.items()))
        if kind in ("Text", "Code"):
            yield str(value)
        elif kind in ("Html", "InlineHtml"):
            yield " " if LINE_BREAK.fullmatch(str(value)) else str(value)
        elif kind == "End" and value not in ("Emphasis", "Strong", "Strikethrough", "Link", "Image"):
            yield " "
