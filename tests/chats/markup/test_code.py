"""Code blocks: named, coloured by class, never by style."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chats.markup import render
from tests.chats.markup.reading import parse

LANGUAGES = (
    "python",
    "c++",
    "java",
    "js",
    "sql",
    "bash",
    "html",
    "r",
    "matlab",
    "haskell",
    "latex",
    "yaml",
    "diff",
    "pycon",
)


def test_a_known_language_is_named_and_coloured() -> None:
    (block,) = render('```python title="x.py"\ndef f(x):\n    return "a<b"  # why\n```\n')
    figure = parse([block]).select_one("figure.code")
    assert figure is not None
    assert figure["data-language"] == "python"
    assert figure.select_one("figcaption").get_text() == "Python"
    assert figure.select_one("pre")["tabindex"] == "0"  # long lines are scrolled by keys
    assert figure.select_one("pre > code").get_text() == 'def f(x):\n    return "a<b"  # why'
    assert figure.select_one("span.k").get_text().strip() == "def"
    assert figure.select_one("span.s").get_text().strip() == '"a<b"'
    assert figure.select_one("span.c").get_text() == "# why"


@pytest.mark.parametrize(
    ("info", "caption"),
    [("", "Text"), ("klingon", "klingon"), ("py", "Python"), ("C++", "C++"), ("{.js}", "JavaScript")],
)
def test_the_caption(info: str, caption: str) -> None:
    figure = parse(render(f"```{info}\nx\n```")).select_one("figure.code figcaption")
    assert figure.get_text() == caption


def test_an_unknown_language_is_plain() -> None:
    (block,) = render("```klingon\nif <x>\n```")
    assert parse([block]).select("span") == []
    assert parse([block]).select_one("code").get_text() == "if <x>"


def test_a_fence_without_end_is_code_to_the_end() -> None:
    (block,) = render("```python\nx = 1\n\n# not a heading\n\n- no list")
    assert parse([block]).select_one("code").get_text() == "x = 1\n\n# not a heading\n\n- no list"


def test_too_much_code_stays_uncoloured() -> None:
    (block,) = render("```python\n" + "x = 1\n" * 4_000 + "```\n")
    assert parse([block]).select("span") == []


@given(
    language=st.sampled_from(LANGUAGES),
    lines=st.lists(st.text(st.characters(exclude_characters="`\r"), max_size=30), max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_colours_change_no_character(language: str, lines: list[str]) -> None:
    code = "\n".join(lines)
    coloured, plain = (
        parse(render(f"````{info}\n{code}\n````\n")).select_one("code") for info in (language, "klingon")
    )
    assert coloured.get_text() == plain.get_text()


def test_long_code_is_coloured_throughout() -> None:
    code = "\n\n".join(f"def f{number}(x):\n    return {number}  # {number}" for number in range(120))
    (block,) = render(f"```python\n{code}\n```")
    found = parse([block])
    assert found.select_one("code").get_text() == code
    assert len(found.select("span.nf")) == 120
