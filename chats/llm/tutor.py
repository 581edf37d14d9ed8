"""The tutor of a site without a language model: it quotes the course's material, and says that this is all it does."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from chats.llm.protocol import Event, Evidence, Finished, ModelRequest, Text
from chats.llm.quoting import best_quote, outside_code, shared_words, stems

_MOST_QUOTES = 3
_WORDS_AT_ONCE = 3
_LONGEST_TITLE = 60

_NO_MODEL: Final = "No language model is configured on this site, so I can't answer in my own words."
_QUOTED: Final = f"{_NO_MODEL} This is what the course's material says:"
_WEAK: Final = (
    f"{_NO_MODEL} I also found no passage that shares a word with your question. The nearest that I have, which may "
    "well be about something else:"
)
_NOTHING: Final = f"""\
{_NO_MODEL} I looked for passages of the course's material that match your question and found none.

What you can try:

- ask with other words, best with the terms that the lectures use;
- look through the material on the course's page;
- ask your instructor, who may add what is missing."""
_MORE: Final = "Ask with other words to find other passages, or open a source to read on."

_PIECE = re.compile(rf"(?:\S+\s*){{1,{_WORDS_AT_ONCE}}}|\s+")
_NUMBER_IN_BRACKETS = re.compile(r"\[(?=\d{1,3}\])")


class BuiltInTutor:
    """Answers from `ModelRequest.passages` alone: no model, no network, no key."""

    name = "built-in-tutor"

    def __init__(self, *, pace_seconds: float = 0.015) -> None:
        """`pace_seconds` lies between two pieces of a few words each, so that it reads as it comes."""
        self._pace_seconds = pace_seconds

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Event, None]:
        """Yield the best quotes, each with its citation and place; see `Provider.stream`."""
        for piece in _PIECE.findall(answer(request.question, request.passages)):
            yield Text(piece)
            await asyncio.sleep(self._pace_seconds)
        yield Finished("stop", None, self.name)

    async def complete(self, request: ModelRequest) -> str:
        """Return a title made of the question; see `Provider.complete`."""
        return short_title(request.question)

    async def aclose(self) -> None:
        """Nothing is open."""


def answer(question: str, passages: Sequence[Evidence]) -> str:
    """Return what the tutor says, in Markdown. `passages` are best first."""
    if not passages:
        return _NOTHING
    asked = stems(question)
    matching = [passage for passage in passages if shared_words(question, _whole(passage))]
    if not matching and asked:
        return f"{_WEAK}\n\n{_quotation(question, passages[0])}\n\n{_MORE}"
    quoted = (matching or passages)[:_MOST_QUOTES]
    return "\n\n".join([_QUOTED, *(_quotation(question, passage) for passage in quoted), _MORE])


def short_title(question: str) -> str:
    """Return the question as a title: its first line, without its end mark, at most 60 characters."""
    first = next((line.strip() for line in question.splitlines() if line.strip()), "")
    line = re.sub(r"\s+", " ", re.sub(r"[#*_`>]", "", first)).strip(" ?!.:;,")
    if len(line) <= _LONGEST_TITLE:
        return line
    cut = line[: _LONGEST_TITLE - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut).rstrip(" ,;:–-") + "…"


def _whole(passage: Evidence) -> str:
    return f"{passage.title} {passage.locator_text} {passage.text}"


def _quotation(question: str, passage: Evidence) -> str:
    quote = best_quote(question, passage.text, context=f"{passage.title} {passage.locator_text}")
    # A number in brackets within the quote is the source's own reference: it must not pass for one of ours.
    quote = outside_code(lambda text: _NUMBER_IN_BRACKETS.sub("[\N{WORD JOINER}", text), quote)
    lines = "\n".join(f"> {line}".rstrip() for line in quote.splitlines())
    place = ", ".join(_plain(part) for part in (passage.title, passage.locator_text) if part.strip())
    return f"{lines}\n\n— {place} [{passage.marker}]"


def _plain(text: str) -> str:
    """Text that means nothing to Markdown."""
    return re.sub(r"([\\`*_\[\]<>|$#~])", r"\\\1", " ".join(text.split()))
