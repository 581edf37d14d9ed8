"""Whatever pieces a text comes in, the shown blocks end as those of the whole text."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from chats.markup import SourceLink, StreamRenderer, render

SOURCES = (SourceLink(1, "/courses/a", "Lecture 1"), SourceLink(2, "/courses/b", "Lecture 2"))
PIECES = (
    *("word ", "\n", "\n\n", "# ", "- ", "1. ", "2) ", "  ", "    ", "> ", "```", "```python\n", "~~~~\n", "`", "``"),
    *("$", "$$", "$x$", "\\(", "\\)", "\\[", "\\]", "\\", "|", "|a|b|\n|-|-|\n", "[1]", "[2, 3]", "[ref]", "](/a)"),
    *(
        "\n[ref]: /there\n",
        "*",
        "**",
        "_",
        "~~",
        "<div>",
        "<!-- ",
        "-->",
        "<pre>\n",
        "&amp;",
        "&#xFDD0;",
        "\t",
        "---\n",
    ),
    *(
        "\r\n",
        "é",
        "\u202e",
        "ש",
        "\U0001f600",
        "\ud800",
        "\x00",
        "\ufdd0",
        "0",
        "===\n",
        "- [ ] ",
        "![",
        "https://a.b/c",
    ),
)
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.text(max_size=200))


def show(text: str, cuts: list[int], renderer: StreamRenderer) -> list[str]:
    shown: list[str] = []
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        change = renderer.feed(text[start:end])
        assert change.start <= len(shown)
        shown[change.start :] = change.blocks
        assert shown == renderer.blocks
    change = renderer.finish()
    shown[change.start :] = change.blocks
    return shown


@given(text=TEXTS, cuts=st.lists(st.integers(0, 500), max_size=30))
@settings(max_examples=400, deadline=None)
def test_changes_add_up_to_the_whole_text(text: str, cuts: list[int]) -> None:
    assert show(text, cuts, StreamRenderer(SOURCES)) == render(text, sources=SOURCES)


@given(text=TEXTS)
@settings(max_examples=150, deadline=None)
def test_character_by_character_too(text: str) -> None:
    assert show(text, list(range(len(text))), StreamRenderer(SOURCES)) == render(text, sources=SOURCES)
