"""What the tests know of safe HTML, written down apart from the renderer's own list."""

import re
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

TEXT_TAGS = {
    *("p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "br", "em", "strong", "del", "code", "pre"),
    *("a", "figure", "figcaption", "span", "div", "table", "thead", "tbody", "tr", "th", "td", "input"),
}
FORMULA_TAG = re.compile(r"m[a-z]+|none")
NOT_FORMULAS = {"map", "mark", "marquee", "menu", "menuitem", "meta", "meter", "main", "multicol", "maction", "mglyph"}
CLASSES = re.compile(r"citation|math-source|math-display|table|code|task|plain|align-(center|right)|[a-z]{1,2}")
FORBIDDEN_ATTRIBUTES = re.compile(r"on.*|style|id|name|src.*|formaction|xlink.*|srcdoc|background|action|data")


def parse(blocks: list[str]) -> BeautifulSoup:
    return BeautifulSoup("".join(blocks), "lxml")


def elements(blocks: list[str]) -> list[Tag]:
    return [tag for tag in parse(blocks).find_all(True) if tag.name not in ("html", "body")]


def assert_safe(blocks: list[str], *, paths: tuple[str, ...] = ()) -> None:
    """Nothing in the blocks runs, loads from elsewhere, looks like the page's own parts or leads to a script."""
    for block in blocks:
        assert block.startswith("<"), block
    for tag in elements(blocks):
        formula = FORMULA_TAG.fullmatch(tag.name) and tag.name not in NOT_FORMULAS
        assert tag.name in TEXT_TAGS or formula, tag
        for name, value in tag.attrs.items():
            assert not FORBIDDEN_ATTRIBUTES.fullmatch(name), tag
            if name == "class":
                assert all(CLASSES.fullmatch(word) for word in value), tag
            if name == "href":
                assert tag.name == "a", tag
                assert_followable(str(value), tag)
        if tag.name == "a" and tag.get("class") != ["citation"]:
            assert tag["target"] == "_blank", tag
            assert {"noopener", "noreferrer", "nofollow", "ugc"} <= set(tag["rel"]), tag
        if tag.name == "a" and tag.get("class") == ["citation"]:
            assert tag["href"] in paths, tag
        if tag.name == "input":
            assert tag["type"] == "checkbox", tag
            assert tag.has_attr("disabled"), tag


def assert_followable(url: str, tag: Tag) -> None:
    scheme = re.sub(r"[\x00-\x20]", "", url).partition(":")[0].lower() if not url.startswith("/") else ""
    assert scheme in ("http", "https", "mailto", ""), tag
    if not scheme:
        assert not url.startswith(("//", "/\\")), tag
        assert not urlsplit(url).netloc, tag


def text_of(blocks: list[str]) -> str:
    return parse(blocks).get_text()
