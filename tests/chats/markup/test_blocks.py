"""The elements of a message."""

import pytest

from chats.markup import render
from tests.chats.markup.reading import elements, parse, text_of


def test_each_top_level_block_stands_alone() -> None:
    blocks = render("One\ntwo.\n\n- a\n- b\n\n> q\n\n---\n")
    assert blocks == [
        '<p dir="auto">One\ntwo.</p>',
        '<ul dir="auto"><li>a</li><li>b</li></ul>',
        '<blockquote dir="auto"><p>q</p></blockquote>',
        "<hr>",
    ]


def test_nothing_is_no_block() -> None:
    assert render("") == render(" \n\n ") == []


@pytest.mark.parametrize(
    ("written", "shown"), [("#", "h3"), ("##", "h4"), ("###", "h5"), ("####", "h6"), ("######", "h6")]
)
def test_headings_stand_below_the_pages_own(written: str, shown: str) -> None:
    assert render(f"{written} Title") == [f'<{shown} dir="auto">Title</{shown}>']


def test_emphasis_code_and_line_breaks() -> None:
    assert render("**a** *b* ~~c~~ `d<e`  \nf<br>g") == [
        '<p dir="auto"><strong>a</strong> <em>b</em> <del>c</del> <code>d&lt;e</code><br>\nf<br>g</p>',
    ]


def test_a_table_can_be_scrolled_and_is_named() -> None:
    (block,) = render("| a | b |\n|--:|:-:|\n| 1 | `x` |\n")
    region = parse([block]).select_one("div.table")
    assert region is not None
    assert (region["tabindex"], region["role"], region["aria-label"]) == ("0", "region", "Table")
    assert [cell.get_text() for cell in region.select("thead th")] == ["a", "b"]
    assert [cell["class"] for cell in region.select("tbody td")] == [["align-right"], ["align-center"]]


def test_tasks_cannot_be_ticked() -> None:
    boxes = [tag for tag in elements(render("- [ ] a\n- [x] b\n")) if tag.name == "input"]
    assert [box.has_attr("checked") for box in boxes] == [False, True]
    assert all(box.has_attr("disabled") for box in boxes)


def test_an_ordered_list_keeps_its_numbers() -> None:
    assert render("3. a\n4. b\n") == ['<ol start="3" dir="auto"><li>a</li><li>b</li></ol>']


def test_a_loose_list_with_code_in_it_is_one_block() -> None:
    blocks = render("1. One\n\n   ```python\n   x\n\n   y\n   ```\n\n2. Two\n\nAfter\n")
    assert len(blocks) == 2
    assert len(parse(blocks).select("ol > li")) == 2
    assert parse(blocks).select_one("li figure code").get_text() == "x\n\ny"


def test_a_bare_address_is_a_link_without_the_full_stop() -> None:
    blocks = render("See https://a.example/x_(y)_z. And (https://b.example).")
    assert [tag["href"] for tag in parse(blocks).select("a")] == ["https://a.example/x_(y)_z", "https://b.example"]
    assert text_of(blocks) == "See https://a.example/x_(y)_z. And (https://b.example)."


def test_a_link_may_be_defined_further_down() -> None:
    blocks = render("See [the notes][n] and [n].\n\nMore.\n\n[n]: https://a.example/notes\n")
    assert [tag["href"] for tag in parse(blocks).select("a")] == ["https://a.example/notes"] * 2
    assert len(blocks) == 2


def test_right_to_left_text_finds_its_own_direction() -> None:
    for block in render("שלום\n\n# مرحبا\n\n- שלום\n\n> سلام\n\n| א |\n|-|\n| ב |\n"):
        first = elements([block])[0]
        assert first["dir"] == "auto"


def test_emoji_joiners_stay_whole() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert text_of(render(family)) == family


def test_what_is_too_long_for_markdown_is_shown_as_it_is() -> None:
    text = "*a* " * 50_000
    blocks = render(text)
    assert len(blocks) > 2
    assert parse(blocks[-1:]).select_one("p.plain") is not None
    assert text_of(blocks[1:]).replace(" ", "").strip("a*") == ""
    assert text_of(blocks).count("a") == 50_000
