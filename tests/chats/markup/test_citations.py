"""Markers in running text become chips that open their source."""

import pytest

from chats.markup import SourceLink, StreamRenderer, render
from tests.chats.markup.reading import parse

SOURCES = (
    SourceLink(1, "/courses/c/documents/d?passage=p&x=1", 'Lecture 1: "Loss" & <more>'),
    SourceLink(2, "/courses/c/documents/e", "Lecture 2"),
)


def markers(text: str) -> list[str]:
    return [str(chip["data-marker"]) for chip in parse(render(text, sources=SOURCES)).select("a.citation")]


def test_a_chip_says_what_it_opens() -> None:
    (chip,) = parse(render("So it is [1].", sources=SOURCES)).select("a.citation")
    assert chip["href"] == "/courses/c/documents/d?passage=p&x=1"
    assert chip["aria-label"] == 'Source 1: Lecture 1: "Loss" & <more>'
    assert chip.get_text() == "1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a [1] b", ["1"]),
        ("a[1][2].", ["1", "2"]),
        ("a [1, 2], b [2,1]", ["1", "2", "2", "1"]),
        ("- item [2]\n\n> quote [1]\n\n| t [1] |\n|-|\n| c [2] |\n", ["2", "1", "1", "2"]),
        ("**bold [1]**", ["1"]),
        ("# Title [1]", ["1"]),
    ],
)
def test_in_running_text(text: str, expected: list[str]) -> None:
    assert markers(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "`a[1]`",
        "```\na[1]\n```",
        "    a[1]",
        "$a[1]$",
        "$$\na[1]\n$$",
        "[see [1] there](/a)",
        "[1](/a)",
        "![1](/a)",
        "[0001]",
        "[ ]",
    ],
)
def test_not_in_code_formulas_or_links(text: str) -> None:
    assert markers(text) == []


def test_numbers_that_are_no_source_stay_as_written() -> None:
    assert render("a [3] b [12]", sources=SOURCES) == ['<p dir="auto">a [3] b [12]</p>']
    assert render("a [1]") == ['<p dir="auto">a [1]</p>']
    block = render("a [1, 9]", sources=SOURCES)[0]
    assert block.endswith(">1</a>[9]</p>")


def test_a_definition_does_not_take_a_marker_over() -> None:
    (chip,) = parse(render("a [1]\n\n[1]: https://elsewhere.example\n", sources=SOURCES)).select("a")
    assert chip["href"] == SOURCES[0].url
    (chip,) = parse(render("[1]: https://elsewhere.example\na [1]", sources=SOURCES)).select("a")
    assert chip["href"] == SOURCES[0].url


def test_a_source_outside_the_site_gets_no_chip() -> None:
    sources = [SourceLink(1, "https://elsewhere.example", "x"), SourceLink(2, "//elsewhere.example", "y")]
    assert render("a [1] [2]", sources=sources) == ['<p dir="auto">a [1] [2]</p>']


def test_sources_may_come_after_the_text() -> None:
    renderer = StreamRenderer()
    shown: list[str] = []
    for piece in ("One [1].\n\nTwo.\n\nThr", "ee [2]"):
        change = renderer.feed(piece)
        shown[change.start :] = change.blocks
    change = renderer.replace_sources(SOURCES)
    assert change.start == 0
    shown[change.start :] = change.blocks
    assert [chip["data-marker"] for chip in parse(shown).select("a.citation")] == ["1", "2"]
    change = renderer.feed(", and more [1]")
    shown[change.start :] = change.blocks
    change = renderer.finish()
    shown[change.start :] = change.blocks
    assert shown == render("One [1].\n\nTwo.\n\nThree [2], and more [1]", sources=SOURCES)
    change = renderer.replace_sources(SOURCES[:1])
    shown[change.start :] = change.blocks
    assert shown == render("One [1].\n\nTwo.\n\nThree [2], and more [1]", sources=SOURCES[:1])
