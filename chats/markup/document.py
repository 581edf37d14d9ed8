"""One text on its way from Markdown to blocks, taken in pieces of any size."""

from collections.abc import Iterable, Mapping
from html import escape

from chats.markup.citations import SourceLink, chips_of
from chats.markup.formulas import extract
from chats.markup.limits import MARKDOWN_CHARS, PLAIN_BLOCK_CHARS, Allowance
from chats.markup.parser import Definitions, definitions_of, markdown_with
from chats.markup.preview import Growing, complete
from chats.markup.safety import sanitise
from chats.markup.segments import Segmenter
from chats.markup.source import clean
from chats.markup.writer import Writer


class Document:
    """Takes a text in and gives out its finished blocks; what pieces it came in makes no difference to them."""

    def __init__(self, chips: Mapping[int, str], definitions: Definitions) -> None:
        self._chips = chips
        self._parser = markdown_with(definitions)
        self._allowance = Allowance()
        self._segmenter = Segmenter()
        self._room = MARKDOWN_CHARS
        self._plain = ""
        self._growing: Growing | None = None

    @property
    def open_chars(self) -> int:
        """Length of the text that isn't in a finished block yet."""
        return len(self._plain) if self._room == 0 else len(self._segmenter.tail)

    def feed(self, text: str) -> list[str]:
        """Adds cleaned text and returns the blocks that it finished, in order."""
        if self._room == 0:
            return self._feed_plain(text)
        body, rest = text[: self._room], text[self._room :]
        blocks = [block for segment in self._segmenter.feed(body) for block in self._finished(segment)]
        self._room -= len(body)
        if self._room == 0:
            blocks += self._finished(self._segmenter.tail)
            blocks += self._feed_plain(rest)
        return blocks

    def end(self) -> list[str]:
        """The blocks of what is still open, at the end of the text."""
        return _plain_blocks(self._plain) if self._room == 0 else self._finished(self._segmenter.tail)

    def preview(self) -> list[str]:
        """The blocks of what is still open, without what would look broken until it is closed."""
        self._growing = None
        if self._room == 0:
            return _plain_blocks(self._plain)
        tail, in_code = self._segmenter.tail, self._segmenter.in_code
        found = extract(tail) if in_code else complete(tail)
        writer = Writer(found.formulas, self._chips, self._allowance.copy(), colour=False)
        blocks = writer.blocks(self._parser, found.text)
        if blocks and found.unfinished is None:
            self._growing = Growing(tail, blocks[-1], in_code=in_code)
        return blocks

    def preview_of_more(self, delta: str) -> str | None:
        """The last block of the preview with text added that finished no block; None if that isn't so simple."""
        more = self._growing.with_more(delta) if self._growing else None
        if more is None:
            self._growing = None
        return more

    def _finished(self, segment: str) -> list[str]:
        found = extract(segment)
        return Writer(found.formulas, self._chips, self._allowance).blocks(self._parser, found.text)

    def _feed_plain(self, text: str) -> list[str]:
        self._plain += text
        whole = len(self._plain) - len(self._plain) % PLAIN_BLOCK_CHARS
        finished, self._plain = self._plain[:whole], self._plain[whole:]
        return _plain_blocks(finished)


def _plain_blocks(text: str) -> list[str]:
    """Text beyond what is read as Markdown, as it was written."""
    parts = (text[at : at + PLAIN_BLOCK_CHARS] for at in range(0, len(text), PLAIN_BLOCK_CHARS))
    return [sanitise(f'<p class="plain" dir="auto">{escape(part, quote=False)}</p>') for part in parts]


def definitions_in(text: str) -> Definitions:
    """The link definitions that hold in the whole of a cleaned text."""
    return definitions_of(text[:MARKDOWN_CHARS])


def render(text: str, *, sources: Iterable[SourceLink] = ()) -> list[str]:
    """Safe HTML of each top-level block of a Markdown text, in order. Raises nothing, whatever the text."""
    text = clean(text)
    document = Document(chips_of(sources), definitions_in(text))
    return document.feed(text) + document.end()
