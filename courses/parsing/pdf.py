"""PDF: lines with their boxes, made into headings and paragraphs; running heads and page numbers go."""

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from courses.parsing.blocks import Block, Parsed, ParseError, Progress
from courses.parsing.limits import MAX_CHARACTERS, MAX_PAGES
from courses.parsing.text import LIST_ITEM

# What pdfium puts where a word was divided at the end of a line.
HYPHENS = ("\x02", "\ufffe", "\u00ad")
MARGIN = 0.11  # of the page's height, above and below: where running heads and page numbers stand
PAGE_NUMBER = re.compile(
    r"\W*(?:(?:page|slide|seite|p\.)\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:of|/|von|–|-)\s*\d{1,4})?\W*", re.IGNORECASE
)
HEADING_SCALE = 1.15  # a line in letters this much larger than the text's is a heading
HEADING_WORDS = 16
LITTLE_TEXT = 8  # characters a page: less is a page number, not text


@dataclass(slots=True)
class Line:
    text: str
    page: int
    left: float
    top: float
    width: float
    height: float
    size: float  # of its letters, in points

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def mark(self) -> list[float]:
        return [self.page, *(round(part, 4) for part in (self.left, self.top, self.width, self.height))]


def parse_pdf(path: Path, _name: str, progress: Progress) -> Parsed:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ParseError("The PDF is protected by a password. Upload it without one.") from None
        raise ParseError("The PDF is damaged and can't be opened.") from None
    with document:
        count = len(document)
        if count > MAX_PAGES:
            raise ParseError(f"The PDF has {count:,} pages; {MAX_PAGES:,} is the most that can be read.")
        pages, unreadable = _read_pages(document, count, progress)
        sizes = _page_sizes(document, count)
    empty = [
        number for number, lines in enumerate(pages, start=1) if sum(len(line.text) for line in lines) < LITTLE_TEXT
    ]
    if len(empty) == count:
        raise ParseError("no text: needs OCR. The pages are pictures; run text recognition and upload the result.")
    blocks = list(_blocks(_without_running_heads(pages)))
    return Parsed(blocks=blocks, page_count=count, notes=_notes(empty, unreadable, count), page_sizes=sizes)


def _page_sizes(document: Any, count: int) -> list[tuple[float, float]]:
    """Width and height of each page in points; one pair if all are alike."""
    import pypdfium2

    sizes = []
    for index in range(count):
        try:
            width, height = document.get_page_size(index)
        except pypdfium2.PdfiumError:
            width, height = 595, 842
        sizes.append((round(width, 1), round(height, 1)))
    return sizes[:1] if len(set(sizes)) == 1 else sizes


def _notes(empty: Sequence[int], unreadable: Sequence[int], count: int) -> list[str]:
    pictures = [number for number in empty if number not in unreadable]
    notes = []
    if unreadable:
        notes.append(f"{_pages(unreadable)} could not be read.")
    if pictures and len(pictures) * 5 > count:
        notes.append(f"{_pages(pictures)} had no text and may need OCR.")
    return notes


def _pages(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:10])
    more = f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
    return f"Page {shown}" if len(numbers) == 1 else f"Pages {shown}{more}"


def _read_pages(document: Any, count: int, progress: Progress) -> tuple[list[list[Line]], list[int]]:
    import pypdfium2

    pages: list[list[Line]] = []
    unreadable: list[int] = []
    characters = 0
    for index in range(count):
        try:
            lines = list(_lines(document[index], index + 1))
        except pypdfium2.PdfiumError:
            unreadable.append(index + 1)
            lines = []
        characters += sum(len(line.text) for line in lines)
        if characters > MAX_CHARACTERS:
            raise ParseError(
                f"The PDF has more than {MAX_CHARACTERS:,} characters of text. Split it into smaller files."
            )
        pages.append(lines)
        progress(index + 1, count)
    return pages, unreadable


def _lines(page: Any, number: int) -> Iterator[Line]:
    """The lines of a page in the file's own order, each with its box in fractions of the page."""
    import pypdfium2.raw as pdfium

    left, bottom, right, top = page.get_bbox()
    wide, high = max(right - left, 1.0), max(top - bottom, 1.0)
    textpage = page.get_textpage()
    try:
        count = textpage.count_chars()
        text = textpage.get_text_range(0, count) if count else ""
        at = 0
        for raw in text.splitlines(keepends=True):
            length = len(raw.rstrip("\r\n"))
            line = raw.strip()
            if line:
                boxes = [textpage.get_rect(n) for n in range(textpage.count_rects(at, length))] if length else []
                size = pdfium.FPDFText_GetFontSize(textpage, min(at + length // 2, count - 1))
                yield _line(line, number, boxes, size, (left, top, wide, high))
            at += len(raw)
    finally:
        textpage.close()
        page.close()


def _line(
    text: str,
    page: int,
    boxes: Sequence[tuple[float, float, float, float]],
    size: float,
    frame: tuple[float, float, float, float],
) -> Line:
    if not boxes:
        return Line(text, page, 0.0, 0.5, 0.0, 0.0, size)
    left, top, wide, high = frame
    west, east = min(box[0] for box in boxes), max(box[2] for box in boxes)
    south, north = min(box[1] for box in boxes), max(box[3] for box in boxes)
    return Line(
        text,
        page,
        min(max((west - left) / wide, 0.0), 1.0),
        min(max((top - north) / high, 0.0), 1.0),
        min((east - west) / wide, 1.0),
        min((north - south) / high, 1.0),
        # Some writers scale the page instead of naming a size: then the box tells.
        size if size > 2 else north - south,
    )


def _without_running_heads(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """The pages without page numbers and without what stands at the edge of many pages alike."""
    repeated = Counter(key for lines in pages for key in {_edge_key(line) for line in lines if _at_edge(line)})
    least = max(3, len(pages) // 5)
    kept = []
    for lines in pages:
        numbers = [line for line in lines if _at_edge(line) and PAGE_NUMBER.fullmatch(line.text)]
        kept.append(
            [
                line
                for line in lines
                if line not in numbers and not (_at_edge(line) and repeated[_edge_key(line)] >= least)
            ]
        )
    return kept


def _at_edge(line: Line) -> bool:
    return line.height > 0 and (line.bottom < MARGIN or line.top > 1 - MARGIN)


def _edge_key(line: Line) -> tuple[str, int]:
    return re.sub(r"\d+", "#", line.text.casefold()), round(line.top * 50)


def _blocks(pages: Sequence[Sequence[Line]]) -> Iterator[Block]:
    lines = [line for page in pages for line in page]
    if not lines:
        return
    body = _body_size(lines)
    sizes = sorted({round(line.size) for line in lines if _is_heading(line, body)}, reverse=True)[:4]
    paragraph: list[Line] = []
    heading: list[Line] = []
    for line in lines:
        if _is_heading(line, body):
            yield from _paragraph(paragraph)
            paragraph = []
            if heading and not _goes_on(heading[-1], line):
                yield _heading(heading, sizes)
                heading = []
            heading.append(line)
            continue
        if heading:
            yield _heading(heading, sizes)
            heading = []
        if paragraph and _new_paragraph(paragraph, line):
            yield from _paragraph(paragraph)
            paragraph = []
        paragraph.append(line)
    yield from _paragraph(paragraph)
    if heading:
        yield _heading(heading, sizes)


def _body_size(lines: Sequence[Line]) -> float:
    """The size of most letters."""
    letters: Counter[float] = Counter()
    for line in lines:
        letters[round(line.size * 2) / 2] += len(line.text)
    return letters.most_common(1)[0][0]


def _is_heading(line: Line, body: float) -> bool:
    return (
        line.size > body * HEADING_SCALE
        and len(line.text.split()) <= HEADING_WORDS
        and any(character.isalpha() for character in line.text)
    )


def _goes_on(above: Line, line: Line) -> bool:
    """Whether a heading goes on in the next line."""
    return above.page == line.page and abs(above.size - line.size) < 1 and line.top - above.bottom < above.height


def _heading(lines: Sequence[Line], sizes: Sequence[int]) -> Block:
    size = round(lines[0].size)
    level = sizes.index(size) + 1 if size in sizes else len(sizes)
    text = " ".join(line.text for line in lines)
    return Block("heading", text, level=max(level, 1), page=lines[0].page, marks=[line.mark for line in lines])


def _new_paragraph(paragraph: Sequence[Line], line: Line) -> bool:
    above = paragraph[-1]
    if LIST_ITEM.match(line.text):
        return True
    if above.page != line.page:
        # A sentence that was not ended goes on overleaf.
        return above.text.endswith((".", "!", "?", ":")) or not line.text[:1].islower()
    gap = line.top - above.bottom
    usual = statistics.median(
        [b.top - a.bottom for a, b in pairwise(paragraph) if b.page == a.page] or [above.height * 0.6]
    )
    if gap > max(usual * 1.6, above.height * 0.9) or gap < -0.1:
        return True
    indented = line.left - min(part.left for part in paragraph) > 0.012
    return indented and above.text.endswith((".", "!", "?")) and len(paragraph) > 1


def _paragraph(lines: Sequence[Line]) -> Iterator[Block]:
    if not lines:
        return
    text = lines[0].text
    for line in lines[1:]:
        text = _joined(text, line.text)
    text = text.rstrip("".join(HYPHENS))
    kind = "list" if LIST_ITEM.match(text) else "paragraph"
    yield Block(kind, text, page=lines[0].page, marks=[line.mark for line in lines if line.height])  # type: ignore[arg-type]


def _joined(text: str, line: str) -> str:
    """Two lines as one: a word that was divided at the end of the first is made whole."""
    if text.endswith(HYPHENS):
        return text[:-1] + line
    if text.endswith("-") and len(text) > 1 and text[-2].isalpha() and line[:1].islower():
        return text[:-1] + line
    return f"{text} {line}"
