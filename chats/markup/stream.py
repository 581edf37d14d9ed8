"""A text rendered while it is being written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chats.markup.citations import SourceLink, chips_of
from chats.markup.document import Document, definitions_in
from chats.markup.source import clean

# An open end longer than this is read anew only when it grew by a part of its length, so that a paragraph or list
# without end costs the same per character as a short one; and longer than that, also only then sent anew.
_EAGER_CHARS = 4_000
_SENT_CHARS = 12_000
_LAZY_PART = 24


@dataclass(frozen=True, slots=True)
class Change:
    """Replace the shown blocks from index `start` on by these; without blocks, remove those from `start` on."""

    start: int
    blocks: list[str] = field(default_factory=list)


class StreamRenderer:
    """Renders a text while it is being written, at a cost that doesn't grow with what was written before.

    After `finish`, and only then, the blocks equal `render` of the whole text. Until then the last block may be
    shown without colours, without the beginning of an unfinished formula, link or citation, and, if it is
    long, some characters late; link definitions take effect on the blocks before them at the end.
    """

    def __init__(self, sources: Iterable[SourceLink] = ()) -> None:
        self._chips = chips_of(sources)
        self._pieces: list[str] = []
        self._ended = False
        self._document = Document(self._chips, {})
        self._done: list[str] = []
        self._open: list[str] = []
        self._read_chars = self._sent_chars = 0

    @property
    def blocks(self) -> list[str]:
        """The blocks shown so far."""
        return [*self._done, *self._open]

    def feed(self, delta: str) -> Change:
        """Adds text that follows what was fed before. Raises RuntimeError after `finish`."""
        if self._ended:
            raise RuntimeError("the text is finished")
        delta = clean(delta)
        self._pieces.append(delta)
        finished = self._document.feed(delta)
        if not finished:
            more = self._document.preview_of_more(delta)
            if more is not None and self._is_due(self._sent_chars, _SENT_CHARS):
                self._sent_chars = self._document.open_chars
                self._open[-1] = more
                return Change(len(self._done) + len(self._open) - 1, [more])
            if more is not None or not self._is_due(self._read_chars, _EAGER_CHARS):
                return Change(len(self._done) + len(self._open))
        self._read_chars = self._sent_chars = self._document.open_chars
        return self._show(finished, self._document.preview())

    def finish(self) -> Change:
        """Ends the text; from now on the blocks equal `render` of it."""
        if self._ended:
            return Change(len(self._done))
        self._ended = True
        if definitions_in("".join(self._pieces)):
            return self._again()
        return self._show(self._document.end(), [])

    def replace_sources(self, sources: Iterable[SourceLink]) -> Change:
        """Takes other sources, and renders what was written so far anew with them."""
        self._chips = chips_of(sources)
        return self._again()

    def _again(self) -> Change:
        text = "".join(self._pieces)
        self._document = Document(self._chips, definitions_in(text) if self._ended else {})
        finished = self._document.feed(text)
        shown, self._done, self._open = self.blocks, [], []
        self._show(finished, [] if self._ended else self._document.preview())
        if self._ended:
            self._done += self._document.end()
        self._read_chars = self._sent_chars = self._document.open_chars
        return _difference(0, shown, self.blocks)

    def _is_due(self, last: int, eager: int) -> bool:
        """Whether the open end is short, or grew enough since it was this long."""
        chars = self._document.open_chars
        return chars < eager or chars - last >= chars // _LAZY_PART

    def _show(self, finished: list[str], still_open: list[str]) -> Change:
        change = _difference(len(self._done), self._open, finished + still_open)
        self._done += finished
        self._open = still_open
        return change


def _difference(start: int, shown: Sequence[str], blocks: Sequence[str]) -> Change:
    """The smallest change from the shown blocks, the first of which has index `start`, to these."""
    same = 0
    for old, new in zip(shown, blocks, strict=False):
        if old != new:
            break
        same += 1
    return Change(start + same, list(blocks[same:]))
