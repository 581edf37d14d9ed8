"""HTML: what a reader would read of a page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from courses.parsing.blocks import Block, Parsed, ParseError, Progress, markdown_table
from courses.parsing.text import decode

UNREAD = [
    "script",
    "style",
    "noscript",
    "template",
    "nav",
    "header",
    "footer",
    "aside",
    "form",
    "iframe",
    "svg",
    "object",
]
HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
BLOCKS = ("p", "pre", "table", "ul", "ol", "dl", "blockquote", "figcaption", "math", *HEADINGS)
CONTAINERS = ("div", "section", "article", "main", "body", "figure", "details", "center", "td", "html", "[document]")
MAX_DEPTH = 200
MAX_HTML = 20_000_000


def parse_html(path: Path, _name: str, _progress: Progress) -> Parsed:
    from bs4 import BeautifulSoup

    data = path.read_bytes()
    if len(data) > MAX_HTML:
        raise ParseError("The page is larger than 20 MB. Save its text instead.")
    soup = BeautifulSoup(_declared(data), "lxml")
    for element in soup(UNREAD):
        element.decompose()
    root = soup.find("main") or soup.find("article") or soup.body or soup
    return Parsed(blocks=list(_blocks(root, 0)))


def _declared(data: bytes) -> str:
    """The page in the encoding it declares, where it declares one that is known."""
    from bs4.dammit import EncodingDetector

    declared = EncodingDetector.find_declared_encoding(data, is_html=True)
    if declared:
        try:
            return data.decode(declared)
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)


def _blocks(root: Any, depth: int) -> Iterator[Block]:
    """Blocks beneath `root`; text that stands loose between blocks is a paragraph of its own."""
    loose: list[str] = []
    for child in root.children:
        name = getattr(child, "name", None)
        if name in BLOCKS or (name in CONTAINERS and depth < MAX_DEPTH):
            yield from _loose(loose)
            loose = []
            if name in BLOCKS:
                yield from _block(child, name)
            else:
                yield from _blocks(child, depth + 1)
        elif name is None:
            if type(child).__name__ == "NavigableString":
                loose.append(str(child))
        else:
            loose.append(_math_or_text(child))
    yield from _loose(loose)


def _loose(parts: list[str]) -> Iterator[Block]:
    text = " ".join("".join(parts).split())
    if text:
        yield Block("paragraph", text)


def _block(element: Any, name: str) -> Iterator[Block]:
    if name in HEADINGS:
        text = " ".join(element.get_text().split())
        block = Block("heading", text, level=HEADINGS[name])
    elif name == "pre":
        block = Block("code", element.get_text().strip("\n"))
    elif name == "table":
        rows = [[_math_or_text(cell) for cell in row.find_all(["td", "th"])] for row in element.find_all("tr")]
        block = Block("table", markdown_table(rows))
    elif name in ("ul", "ol"):
        block = Block("list", "\n".join(_items(element, 0)))
    elif name == "math":
        block = Block("formula", _math_or_text(element))
    else:
        block = Block("paragraph", " ".join(_math_or_text(element).split()))
    if block.text.strip():
        yield block


def _items(element: Any, depth: int) -> Iterator[str]:
    for number, item in enumerate(element.find_all("li", recursive=False), start=1):
        nested = item.find_all(["ul", "ol"], recursive=False)
        for inner in nested:
            inner.extract()
        text = " ".join(_math_or_text(item).split())
        if text:
            yield "  " * depth + (f"{number}. " if element.name == "ol" else "- ") + text
        for inner in nested:
            if depth < MAX_DEPTH:
                yield from _items(inner, depth + 1)


def _math_or_text(element: Any) -> str:
    """The text; of MathML, the TeX that it was made from, where that is kept."""
    formulas = [element] if element.name == "math" else element.find_all("math")
    for formula in formulas:
        source = formula.find("annotation", attrs={"encoding": "application/x-tex"})
        if source is not None:
            formula.string = f"${source.get_text().strip()}$"
    return str(element.get_text())
