"""DOCX: paragraphs, headings, lists and tables in the order of the document."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from courses.parsing.archive import check_archive
from courses.parsing.blocks import Block, Parsed, Progress, markdown_table

MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
WORD_TEXT = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}t"
TAB = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}tab"
BREAK = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}br"
CODE_STYLES = ("code", "preformatted", "source", "listing", "verbatim")


def parse_word(path: Path, _name: str, _progress: Progress) -> Parsed:
    from docx import Document

    check_archive(path)
    return Parsed(blocks=list(_merged(_blocks(Document(str(path))))))


def _blocks(document: Any) -> Iterator[Block]:
    from docx.table import Table

    for item in document.iter_inner_content():
        if isinstance(item, Table):
            table = markdown_table([[cell.text for cell in row.cells] for row in item.rows])
            if table:
                yield Block("table", table)
        else:
            text = _text(item)
            if text.strip():
                yield _paragraph(item, text)


def _paragraph(item: Any, text: str) -> Block:
    style = (item.style.name or "").lower() if item.style is not None else ""
    if style == "title":
        return Block("heading", " ".join(text.split()), level=1)
    if style.startswith("heading"):
        digits = "".join(filter(str.isdigit, style))
        return Block("heading", " ".join(text.split()), level=int(digits or 1))
    if any(word in style for word in CODE_STYLES):
        return Block("code", text)
    properties = item._element.pPr  # noqa: SLF001 - no public way leads there
    if style.startswith("list") or (properties is not None and properties.numPr is not None):
        return Block("list", f"- {' '.join(text.split())}")
    return Block("paragraph", " ".join(text.split()))


def _text(item: Any) -> str:
    """The paragraph's text, the letters of its formulas included."""
    parts = []
    for element in item._element.iter():  # noqa: SLF001
        if element.tag in (WORD_TEXT, MATH_TEXT):
            parts.append(element.text or "")
        elif element.tag == TAB:
            parts.append("\t")
        elif element.tag == BREAK:
            parts.append("\n")
    return "".join(parts)


def _merged(blocks: Iterator[Block]) -> Iterator[Block]:
    """Lists and code come a line at a time: put them together."""
    open_block: Block | None = None
    for block in blocks:
        if open_block is not None and block.kind == open_block.kind and block.kind in ("list", "code"):
            open_block.text += f"\n{block.text}"
            continue
        if open_block is not None:
            yield open_block
        open_block = block
    if open_block is not None:
        yield open_block
