"""What a reader sees while a reply is being written."""

import pytest

from chats.markup import Change, SourceLink, StreamRenderer, render
from tests.chats.markup.reading import parse, text_of

SOURCES = (SourceLink(1, "/courses/a", "Lecture 1"),)


def states(text: str, size: int = 1) -> list[list[str]]:
    """The blocks shown after each piece, the end included."""
    renderer = StreamRenderer(SOURCES)
    shown: list[str] = []
    seen = []
    for change in [*(renderer.feed(text[at : at + size]) for at in range(0, len(text), size)), renderer.finish()]:
        shown[change.start :] = change.blocks
        seen.append(list(shown))
    return seen


def test_finished_blocks_are_not_sent_again() -> None:
    renderer = StreamRenderer()
    renderer.feed("One.\n\nTwo.\n\n")
    assert renderer.feed("Three") == Change(2, ['<p dir="auto">Three</p>'])
    assert renderer.feed(" and four") == Change(2, ['<p dir="auto">Three and four</p>'])
    assert renderer.feed("").blocks == []


def test_a_finished_text_takes_no_more() -> None:
    renderer = StreamRenderer()
    renderer.feed("One")
    renderer.finish()
    assert renderer.finish().blocks == []
    with pytest.raises(RuntimeError, match="finished"):
        renderer.feed("two")


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize(
    "text",
    [
        "The loss $L_w * \\frac{a_1 * b}{2}$ is *small*.",
        "So\n\n$$\na_1 * b * c\n$$\n\nholds.",
        "So \\[ a * b * c \\] holds and \\(x_1 * y * z\\) too.",
        "See [1] and [the notes](https://a.example/notes) or **bold type** and `a * b * c`.",
    ],
)
def test_nothing_half_written_shows_its_markup(text: str, size: int) -> None:
    for blocks in states(text, size):
        shown = text_of(blocks)
        for sign in ("$", "\\", "](", "https", "**", "`", "[1"):
            assert sign not in shown.replace("https://a.example/notes", ""), shown


def test_what_was_shown_stays_while_prose_is_written() -> None:
    text = "Words come, one after another; and some (few) of them are **bold**, some `code`, some are long."
    before = ""
    for blocks in states(text):
        shown = text_of(blocks)
        assert shown.startswith(before.rstrip("*` ")), (before, shown)
        before = shown


def test_money_is_not_kept_back() -> None:
    assert text_of(states("It costs $5 a month")[-2]) == "It costs $5 a month"


def test_a_dollar_that_opens_nothing_is_shown_in_time() -> None:
    text = "Set $HOME first, " + "and then do many other things " * 6
    assert text_of(states(text)[-2]).startswith("Set $HOME first, and then")


def test_code_is_shown_at_once_and_coloured_when_closed() -> None:
    renderer = StreamRenderer()
    renderer.feed("```python\ndef f():\n    return")
    (block,) = renderer.blocks
    assert parse([block]).select_one("code").get_text() == "def f():\n    return"
    assert parse([block]).select("span") == []
    renderer.feed(" 1 < 2\n")
    assert parse(renderer.blocks).select_one("code").get_text().rstrip() == "def f():\n    return 1 < 2"
    renderer.feed("```\n")
    assert parse(renderer.blocks).select("span.k")


def test_every_character_arrives_in_a_list_that_never_ends() -> None:
    text = "- an item of it with some words\n" * 400
    renderer = StreamRenderer()
    for at in range(0, len(text), 16):
        renderer.feed(text[at : at + 16])
    assert len(text_of(renderer.blocks)) > 0.95 * len(text_of(render(text)))
    renderer.finish()
    assert renderer.blocks == render(text)


def test_a_text_longer_than_markdown_goes_on() -> None:
    text = "word " * 30_000
    renderer = StreamRenderer()
    for at in range(0, len(text), 1_000):
        renderer.feed(text[at : at + 1_000])
    renderer.finish()
    assert renderer.blocks == render(text)
