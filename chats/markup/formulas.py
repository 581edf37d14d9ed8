"""Formulas in a text: where they are, and their MathML.

`$…$` and `\\(…\\)` are inline, `$$…$$` and `\\[…\\]` stand on a line of their own. None crosses an empty line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chats.markup.parser import markdown
from chats.markup.source import mark

_OPENER = re.compile(r"\\\\|\\\$|\$\$|\$|\\\(|\\\[")
_BLANK_LINE = re.compile(r"\n[ \t>]*\n")
_CLOSERS = {"$$": "$$", "\\(": "\\)", "\\[": "\\]"}
_QUOTE_PREFIX = re.compile(r"\n[ \t]*(?:>[ \t]?)+")
_MARK_REFERENCE = re.compile(r"&#(?:x0*fdd[01]|0*6497[67]);", re.IGNORECASE)
# While a reply is being written: an unfinished formula is kept back up to this length.
_HELD_INLINE_CHARS = 120
_HELD_CHARS = 400


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula of a text: its LaTeX, and what stood in the text for it."""

    latex: str
    display: bool
    written: str


@dataclass(frozen=True, slots=True)
class Extraction:
    """A text whose formulas are marks, the formulas by number, and where an unfinished one begins in `text`."""

    text: str
    formulas: Sequence[Formula] = ()
    unfinished: int | None = None


def may_have_formulas(text: str) -> bool:
    """Whether looking for formulas is worth it."""
    return "$" in text or "\\(" in text or "\\[" in text


def extract(text: str) -> Extraction:
    """The text with each formula outside code and link targets replaced by a mark."""
    # The parser would turn these into the characters that our marks are made of.
    text = _MARK_REFERENCE.sub("\ufffd", text) if "&#" in text else text
    if not may_have_formulas(text):
        return Extraction(text)
    scanner = _Scanner(text, _protected(text))
    pieces: list[str] = []
    formulas: list[Formula] = []
    done = 0
    for start, end, opener in scanner.spans():
        pieces += (text[done:start], mark(len(formulas)))
        formulas.append(_formula(text, start, end, opener))
        done = end
    unfinished = None
    if scanner.unfinished is not None and scanner.unfinished >= done:
        unfinished = sum(map(len, pieces)) + scanner.unfinished - done
    pieces.append(text[done:])
    return Extraction("".join(pieces), formulas, unfinished)


def _formula(text: str, start: int, end: int, opener: str) -> Formula:
    written = text[start:end]
    latex = written[len(opener) : -len(opener)]
    if "\n" in latex and text[text.rfind("\n", 0, start) + 1 : start].lstrip().startswith(">"):
        latex = _QUOTE_PREFIX.sub("\n", latex)
    return Formula(latex.strip(), opener in {"$$", "\\["}, written)


def _protected(text: str) -> list[tuple[int, int]]:
    """Where code and link targets are, in code points, in order and without overlap."""
    spans: list[tuple[int, int]] = []
    raw = None if text.isascii() else text.encode()
    seen_bytes = seen_chars = 0
    for event, place in markdown.events_with_range(text, merge_text=True):
        if not isinstance(event, dict):
            continue
        start, end = place["start"], place["end"]
        if "Start" in event:
            tag = event["Start"]
            if not isinstance(tag, dict) or tag.keys().isdisjoint({"CodeBlock", "Link", "Image"}):
                continue
            whole = "CodeBlock" in tag
        elif "Code" in event:
            whole = True
        else:
            continue
        if raw is not None:
            seen_chars += len(raw[seen_bytes:start].decode(errors="ignore")) if start >= seen_bytes else 0
            seen_bytes = max(seen_bytes, start)
            start, end = seen_chars, seen_chars + len(raw[start:end].decode(errors="ignore"))
        if not whole:
            start = max(text.rfind("](", start, end), start)
        spans.append((start, end))
    return spans


class _Scanner:
    """Finds formulas from left to right, each look ahead bounded by what was looked at before."""

    def __init__(self, text: str, protected: Sequence[tuple[int, int]]) -> None:
        self._text = text
        self._protected = [*protected, (len(text), len(text))]
        self._missing: set[str] = set()
        self._blank = -1
        self.unfinished: int | None = None

    def spans(self) -> Iterator[tuple[int, int, str]]:
        """Start, end and opener of each formula."""
        at = index = 0
        while found := _OPENER.search(self._text, at):
            start, opener = found.start(), found[0]
            at = found.end()
            while self._protected[index][1] <= start < len(self._text):
                index += 1
            if self._protected[index][0] <= start:
                at = self._protected[index][1]
                continue
            if opener in {"\\\\", "\\$"}:
                continue
            fence = self._protected[index][0]
            end = self._inline_end(start, fence) if opener == "$" else self._end(start, opener)
            if end is not None:
                yield start, end, opener
                at = end

    def _next_blank(self, start: int) -> int:
        if self._blank < start:
            found = _BLANK_LINE.search(self._text, start)
            self._blank = found.start() if found else len(self._text)
        return self._blank

    def _end(self, start: int, opener: str) -> int | None:
        closer = _CLOSERS[opener]
        if opener in self._missing:
            return None
        close = self._text.find(closer, start + len(opener))
        limit = self._next_blank(start)
        if close < 0:
            self._missing.add(opener)
            if limit == len(self._text):
                self._note_unfinished(start, _HELD_CHARS)
            return None
        if close > limit or not self._text[start + len(opener) : close].strip():
            return None
        return close + len(closer)

    def _inline_end(self, start: int, fence: int) -> int | None:
        """Pandoc's rule: no space after the opening `$`, none before the closing one, no digit after it."""
        text = self._text
        follows = text[start + 1 : start + 2]
        if follows.isspace():
            return None
        close = text.find("$", start + 1)
        while close > 0 and text[close - 1] == "\\" and text[close - 2] != "\\":
            close = text.find("$", close + 1)
        limit = self._next_blank(start)
        if close < 0:
            if limit == len(text) and not follows.isdigit():
                self._note_unfinished(start, _HELD_INLINE_CHARS)
            return None
        if close > limit or close > fence or text[close - 1].isspace():
            return None
        if text[close + 1 : close + 2].isdigit():
            return None
        return close + 1

    def _note_unfinished(self, start: int, most: int) -> None:
        if self.unfinished is None and len(self._text) - start <= most:
            self.unfinished = start
