"""What of a text is shown, with the words that matched marked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from chats.search.terms import WORD, Term, fold

INDEXED_CHARACTERS = 100_000
SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Snippet:
    """A piece of a text in parts, each with whether it matched. Nothing in it is markup."""

    parts: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        return "".join(part for part, _ in self.parts)

    @property
    def html(self) -> SafeString:
        """Escaped, what matched inside <mark>."""
        return mark_safe(  # noqa: S308 - each part is escaped here
            "".join(f"<mark>{escape(part)}</mark>" if marked else escape(part) for part, marked in self.parts)
        )


def highlight(text: str, terms: Sequence[Term], most: int | None = None) -> Snippet:
    """`text`, or about `most` characters of it around the matches, in parts that match and parts that don't."""
    spans = _matches(text, terms)
    start, end = (0, len(text)) if most is None else _window(text, spans, most)
    parts: list[tuple[str, bool]] = [("… ", False)] if start else []
    at = start
    for first, last in spans:
        if first >= start and last <= end:
            parts += [(text[at:first], False), (text[first:last], True)]
            at = last
    parts.append((text[at:end] + (" …" if end < len(text) else ""), False))
    return Snippet(tuple((SPACES.sub(" ", part), marked) for part, marked in parts if part))


def _matches(text: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Where the words of the terms stand, in order."""
    spans = _words(text)
    whole = {term.words[0] for term in terms if len(term.words) == 1 and not term.is_prefix}
    begun = tuple(term.words[0] for term in terms if len(term.words) == 1 and term.is_prefix)
    marked = {place for place, (_, _, word) in enumerate(spans) if word in whole or word.startswith(begun)}
    for term in terms:
        length = len(term.words)
        if length > 1:
            for at, (_, _, word) in enumerate(spans):
                if word == term.words[0] and _stands_at(spans, at, term):
                    marked.update(range(at, at + length))
    return [spans[place][:2] for place in sorted(marked)]


def _words(text: str) -> list[tuple[int, int, str]]:
    """Each word as the index holds it, with where it begins and ends."""
    if text.isascii():  # folded at once: letters stay where they are
        return [(*found.span(), found.group()) for found in WORD.finditer(text.lower(), 0, INDEXED_CHARACTERS)]
    return [(*found.span(), fold(found.group())) for found in WORD.finditer(text, 0, INDEXED_CHARACTERS)]


def _stands_at(spans: Sequence[tuple[int, int, str]], at: int, term: Term) -> bool:
    words = [span[2] for span in spans[at : at + len(term.words)]]
    if len(words) < len(term.words) or words[:-1] != list(term.words[:-1]):
        return False
    return words[-1].startswith(term.words[-1]) if term.is_prefix else words[-1] == term.words[-1]


def _window(text: str, spans: Sequence[tuple[int, int]], most: int) -> tuple[int, int]:
    """The stretch of `most` characters that holds the most matches, widened to whole words."""
    if len(text) <= most:
        return 0, len(text)
    best, best_count, last = 0, 0, 0
    for number, (first, _) in enumerate(spans):
        while last < len(spans) and spans[last][1] <= first + most * 2 // 3:
            last += 1
        if last - number > best_count:
            best, best_count = first, last - number
    start = max(0, min(best - most // 4, len(text) - most))
    end = min(len(text), start + most)
    start = (text.find(" ", start, start + 20) + 1 or start) if start else 0
    cut = text.rfind(" ", end - 20, end)
    return start, cut if end < len(text) and cut > start else end
