"""Jupyter notebooks: text, code and what the code printed, cell by cell."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from courses.parsing.blocks import Block, Parsed, ParseError, Progress
from courses.parsing.markdown import markdown_blocks
from courses.parsing.text import read_text

OUTPUT_LINES = 30


def parse_notebook(path: Path, _name: str, progress: Progress) -> Parsed:
    try:
        notebook = json.loads(read_text(path))
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        language = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")
        blocks: list[Block] = []
        for number, cell in enumerate(cells, start=1):
            blocks.extend(_cell(cell, number, str(language)))
            progress(number, len(cells))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise ParseError("This is not a Jupyter notebook, or it is damaged.") from None
    return Parsed(blocks=blocks, page_count=len(cells))


def _cell(cell: dict[str, Any], number: int, language: str) -> Iterator[Block]:
    source = _text(cell.get("source", cell.get("input", "")))
    place = f"cell {number}"
    if cell["cell_type"] == "code":
        if source.strip():
            yield Block("code", f"```{language}\n{source.strip()}\n```", place=place)
        printed = "\n".join(_outputs(cell.get("outputs", [])))
        if printed.strip():
            lines = printed.strip().split("\n")
            more = ["…"] if len(lines) > OUTPUT_LINES else []
            yield Block("code", "\n".join(["```text", *lines[:OUTPUT_LINES], *more, "```"]), place=place)
    elif cell["cell_type"] in ("markdown", "heading"):
        for block in markdown_blocks(source):
            block.place = place
            yield block


def _outputs(outputs: list[dict[str, Any]]) -> Iterator[str]:
    for output in outputs:
        if output.get("output_type") == "stream":
            yield _text(output.get("text", ""))
        elif "data" in output:
            yield _text(output["data"].get("text/plain", ""))


def _text(source: object) -> str:
    return "".join(str(line) for line in source) if isinstance(source, list) else str(source)
