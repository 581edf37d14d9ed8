"""Blocks of a file become passages: pieces of about 200 to 350 words, each under its heading, each with its place."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from courses.parsing.blocks import Block

LEAST_WORDS = 200
MOST_WORDS = 350
SMALL_SECTION = 180  # words; a heading after fewer does not begin a new passage
SMALL_CHAPTER = 100  # the same for a heading of the first two levels
SMALL_PAGE = 40
LONGEST_WHOLE = 900  # words of a table or code that is kept in one piece
MOST_CHARACTERS = 12_000  # of a passage without spaces, such as a line of data
PATH_SEPARATOR = " › "
HEADING_LENGTH = 500
SENTENCE_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+(?=[^\sa-z])|(?<=[。！？])")


@dataclass(slots=True)
class Draft:
    """A passage before it is stored. `marks` are as in `Block`, offsets counted in this text."""

    text: str
    heading: str = ""
    page: int | None = None
    slide: int | None = None
    start_seconds: float | None = None
    marks: list[list[float]] = field(default_factory=list)

    @property
    def text_hash(self) -> str:
        """What tells whether it is the same passage as one from an earlier reading of the file."""
        place = f"{self.heading}\0{self.page}\0{self.slide}\0{self.start_seconds}\0{self.text}"
        return hashlib.sha256(place.encode("utf-8", "replace")).hexdigest()


class Cutter:
    """Collects blocks and gives a draft whenever one is full."""

    def __init__(self) -> None:
        self.path: list[tuple[int, str]] = []
        self.open: list[Block] = []
        self.open_path: list[str] = []
        self.words = 0

    def take(self, block: Block) -> Iterator[Draft]:
        if block.kind == "heading":
            yield from self._take_heading(block)
            return
        for piece in pieces(block):
            if self._must_close(piece):
                yield from self.close()
            self._add(piece)
            # A closed sentence early enough beats a passage filled to the brim.
            if self.words >= MOST_WORDS:
                yield from self.close()

    def close(self) -> Iterator[Draft]:
        if any(block.kind != "heading" for block in self.open):
            yield _draft(self.open, self.open_path)
        self.open, self.words = [], 0

    def _take_heading(self, block: Block) -> Iterator[Draft]:
        least = SMALL_CHAPTER if block.level <= 2 else SMALL_SECTION
        if self.words >= least or block.slide is not None or self._turns_page(block) or self._leaves(block.level):
            yield from self.close()
        self.path = [*((level, text) for level, text in self.path if level < block.level), (block.level, block.text)]
        if any(part.kind != "heading" for part in self.open):
            self._add(block)
        else:
            self.open, self.words = [], 0

    def _leaves(self, level: int) -> bool:
        """Whether a heading of `level` ends all that the open passage began in: the two don't belong together."""
        return bool(self.open) and level < len(self.open_path) and level <= 1

    def _must_close(self, piece: Block) -> bool:
        if not self.words:
            return False
        if piece.slide != self.open[0].slide or self._turns_page(piece):
            return True
        return self.words + count(piece.text) > MOST_WORDS and (
            self.words >= LEAST_WORDS // 2 or count(piece.text) > LEAST_WORDS
        )

    def _turns_page(self, piece: Block) -> bool:
        return bool(self.open) and piece.page != self.open[-1].page and self.words >= SMALL_PAGE

    def _add(self, block: Block) -> None:
        if not self.open:
            self.open_path = [text for _, text in self.path]
            if block.place:
                self.open_path.append(block.place)
        self.open.append(block)
        self.words += count(block.text)


def cut(blocks: Iterable[Block]) -> list[Draft]:
    """The passages of a file in order. The same blocks always give the same passages."""
    cutter = Cutter()
    drafts = [draft for block in blocks for draft in cutter.take(block)]
    drafts.extend(cutter.close())
    return drafts


def count(text: str) -> int:
    """How many words long a text is; one without spaces (a script that has none, data) counts by its letters."""
    return max(len(text.split()), len(text) // 12)


def pieces(block: Block) -> Iterator[Block]:
    """The block, or parts of it if it is too long for one passage: sentences, rows with the table's head, lines."""
    words = count(block.text)
    whole = block.kind in ("table", "code", "formula")
    if words <= (LONGEST_WHOLE if whole else MOST_WORDS):
        yield block
        return
    if block.kind == "table":
        head, rows = _table_parts(block.text)
        texts = [f"{head}\n{part}" if head else part for part in _filled(rows, "\n")]
    elif whole or block.kind == "list":
        texts = _filled(block.text.split("\n"), "\n")
    else:
        texts = _filled(SENTENCE_END.split(block.text), " ")
    for number, text in enumerate(texts):
        yield Block(
            block.kind,
            text,
            page=block.page,
            slide=block.slide,
            start_seconds=block.start_seconds,
            place=block.place,
            marks=_share(block.marks, number, len(texts)),
        )


def _share(marks: Sequence[list[float]], number: int, parts: int) -> list[list[float]]:
    """The lines on the page that part `number` of `parts` stands on, roughly: lines are about equally long."""
    return list(marks[len(marks) * number // parts : max(len(marks) * (number + 1) // parts, 1)])


def _table_parts(text: str) -> tuple[str, list[str]]:
    lines = text.split("\n")
    if len(lines) > 2 and set(lines[1]) <= set("|-: "):
        return "\n".join(lines[:2]), lines[2:]
    return "", lines


def _filled(parts: Iterable[str], joint: str) -> list[str]:
    """The parts put together into texts of at most MOST_WORDS words, as far as no single part is longer."""
    texts: list[str] = []
    held: list[str] = []
    words = 0
    for part in (shorter for long in parts for shorter in _bounded(long)):
        size = count(part)
        if held and words + size > MOST_WORDS - 50:
            texts.append(joint.join(held))
            held, words = [], 0
        held.append(part)
        words += size
    if held:
        texts.append(joint.join(held))
    return texts


def _bounded(part: str) -> Iterator[str]:
    """A sentence or line that is longer than a passage, in pieces cut at spaces, or anywhere if it has none."""
    if count(part) <= MOST_WORDS:
        yield part
        return
    words = part.split(" ")
    held: list[str] = []
    for word in words:
        for begin in range(0, max(len(word), 1), 2000):
            held.append(word[begin : begin + 2000])
            if count(" ".join(held[-400:])) >= LEAST_WORDS:
                yield " ".join(held)
                held = []
    if held:
        yield " ".join(held)


def _draft(blocks: Sequence[Block], path: Sequence[str]) -> Draft:
    first = blocks[0]
    heading = PATH_SEPARATOR.join(path)[:HEADING_LENGTH]
    if first.kind == "cue":
        return _spoken(blocks, heading)
    text = ""
    for before, block in zip([None, *blocks], blocks, strict=False):
        if before is not None:
            text += "\n" if before.kind == block.kind == "list" else "\n\n"
        text += f"{'#' * min(max(block.level, 2), 6)} {block.text}" if block.kind == "heading" else block.text
    marks = [mark for block in blocks for mark in block.marks]
    return Draft(text, heading, first.page, first.slide, first.start_seconds, marks)


def _spoken(blocks: Sequence[Block], heading: str) -> Draft:
    """Cues run together, with a mark for the time of each."""
    text, marks = "", []
    for block in blocks:
        text += " " if text else ""
        marks.append([float(len(text)), block.start_seconds or 0.0])
        text += block.text
    return Draft(text, heading, start_seconds=blocks[0].start_seconds, marks=marks)
