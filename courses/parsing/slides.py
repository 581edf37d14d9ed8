"""PPTX: a slide's title, text, tables and notes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from courses.parsing.archive import check_archive
from courses.parsing.blocks import Block, Parsed, ParseError, Progress, markdown_table
from courses.parsing.limits import MAX_PAGES


def parse_slides(path: Path, _name: str, progress: Progress) -> Parsed:
    from pptx import Presentation

    check_archive(path)
    presentation = Presentation(str(path))
    slides = list(presentation.slides)
    if len(slides) > MAX_PAGES:
        raise ParseError(f"The presentation has more than {MAX_PAGES:,} slides.")
    blocks: list[Block] = []
    for number, slide in enumerate(slides, start=1):
        blocks.extend(_slide(slide, number))
        progress(number, len(slides))
    return Parsed(blocks=blocks, page_count=len(slides))


def _slide(slide: Any, number: int) -> Iterator[Block]:
    title = slide.shapes.title
    heading = _line(title.text_frame.text) if title is not None else ""
    yield Block("heading", heading or f"Slide {number}", level=1, slide=number)
    for shape in _flat(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if getattr(shape, "has_table", False):
            table = markdown_table([[cell.text for cell in row.cells] for row in shape.table.rows])
            if table:
                yield Block("table", table, slide=number)
        elif getattr(shape, "has_text_frame", False):
            text = "\n".join(_paragraphs(shape.text_frame))
            if text:
                yield Block("list", text, slide=number)
    if slide.has_notes_slide:
        frame = slide.notes_slide.notes_text_frame
        notes = "\n".join(_line(part.text) for part in frame.paragraphs) if frame is not None else ""
        if notes.strip():
            yield Block("paragraph", f"Notes: {notes.strip()}", slide=number)


def _flat(shapes: Any) -> Iterator[Any]:
    """The shapes in the order one reads them: from the top, then from the left; groups opened."""
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _flat(shape.shapes)
        else:
            yield shape


def _paragraphs(frame: Any) -> Iterator[str]:
    for paragraph in frame.paragraphs:
        line = _line(paragraph.text)
        if line:
            yield "  " * paragraph.level + ("- " if len(frame.paragraphs) > 1 else "") + line


def _line(text: str) -> str:
    return " ".join(text.replace("\v", " ").split())
