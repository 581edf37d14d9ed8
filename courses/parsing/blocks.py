"""What every parser yields."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

BlockKind = Literal["heading", "paragraph", "list", "table", "code", "formula", "cue"]


class ParseError(Exception):
    """The file can't be read; the message is for the person who uploaded it."""


@dataclass(slots=True)
class Block:
    """A heading, a paragraph, a table…: what passages are made of, and never cut within if it is a table or code.

    `marks` say where it stands: `[page, left, top, width, height]` in fractions of the page for PDF, one per line;
    `[offset in the text, seconds]` for transcripts. `place` names a place that is neither page, slide nor time, such
    as a notebook's cell, and ends the heading path of its passage.
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None
    slide: int | None = None
    start_seconds: float | None = None
    place: str = ""
    marks: list[list[float]] = field(default_factory=list)


@dataclass(slots=True)
class Parsed:
    """All of a file: its blocks, how many pages (or slides, or cells) it has, what was left out and why."""

    blocks: Sequence[Block]
    page_count: int | None = None
    notes: Sequence[str] = ()
    page_sizes: Sequence[tuple[float, float]] = ()  # in points


# Called with (pages done, pages in all) as a parser goes along.
Progress = Callable[[int, int], None]


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows as a Markdown table whose first row is the head. Line breaks and pipes in cells are made harmless."""
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    width = max((len(row) for row in cells), default=0)
    if not width:
        return ""
    cells = [row + [""] * (width - len(row)) for row in cells]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])
