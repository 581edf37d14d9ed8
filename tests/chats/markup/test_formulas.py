"""Formulas are shown as MathML, and money is not a formula."""

import pytest

from chats.markup import render
from tests.chats.markup.reading import parse, text_of


def formulas(text: str) -> list[str]:
    return [formula.get_text() for formula in parse(render(text)).find_all("math")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a $x+1$ b", ["x+1"]),
        ("a \\(x\\) b \\(y\\)2", ["x", "y"]),
        ("$x$-axis, ($y$), **$z$**", ["x", "y", "z"]),
        ("[$x$](/a)", ["x"]),
        ("| a |\n|-|\n| $p(y|x)$ |\n", ["p(y|x)"]),
        ("- $a$\n  - $b$\n", ["a", "b"]),
        ("$\\$5$", ["$5"]),
        ("é $a$ 中 `$b$` $c$ \U0001f600 $d$", ["a", "c", "d"]),
    ],
)
def test_inline(text: str, expected: list[str]) -> None:
    assert formulas(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.",
        "Between $5-$10 a month.",
        "US$ 5 or $ 6$ x",
        "\\$x\\$",
        "`$x$`",
        "```\n$x$\n```",
        "    $x$",
        "a $x\n\ny$",
        "\\\\(x\\\\)",
        "$$$$",
        "<https://a.example/$x$>",
        "[a](https://a.example/$x$)",
    ],
)
def test_not_a_formula(text: str) -> None:
    assert formulas(text) == []


def test_money_before_a_formula() -> None:
    assert formulas("$5-$10 for $x$") == ["x"]


@pytest.mark.parametrize("text", ["$$\nx\n+ y\n- z\n$$", "\\[\nx\n+ y\n- z\n\\]", "text\n$$x + y - z$$\ntext"])
def test_displayed(text: str) -> None:
    (formula,) = parse(render(text)).select("span.math-display > math")
    assert formula["display"] == "block"
    assert formula.get_text() == "x+y−z"
    assert len(render(text)) == 1


def test_displayed_in_a_quote_and_in_a_list() -> None:
    blocks = render("> $$\n> x\n> $$\n\n1. so\n   $$\n   y\n   $$\n2. b\n")
    assert [formula.get_text() for formula in parse(blocks).find_all("math")] == ["x", "y"]
    assert len(parse(blocks).select("ol > li")) == 2


@pytest.mark.parametrize(
    ("latex", "tag", "text"),
    [
        (r"\frac{a}{b}", "mfrac", "ab"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "mtr", "a=b"),
        (r"\begin{gathered} a \\ b \end{gathered}", "mtr", "a"),
        (r"\begin{cases} 1 & x \\ 0 & y \end{cases}", "mtr", "1x"),
        (r"\operatorname*{arg\,min}_x f", "munder", "argminx"),
        (r"\min_{w} L", "munder", "minw"),
        (r"\mathbf{w}", "mi", "𝐰"),
        (r"\boldsymbol{\mu}", "mi", "𝝁"),
        (r"x \sim p", "mo", "∼"),
        (r"\text{a < b & c}", "mtext", "a\xa0<\xa0b\xa0&\xa0c"),
    ],
)
def test_what_lecturers_write(latex: str, tag: str, text: str) -> None:
    (formula,) = parse(render(f"$$\n{latex}\n$$")).find_all("math")
    assert formula.find(tag).get_text() == text


@pytest.mark.parametrize(
    "latex",
    [
        r"\frac{",
        r"\unknown{x}",
        r"\left(",
        r"\newcommand{\a}{\a\a}\a",
        "{" * 500 + "x" + "}" * 500,
        "x" * 2_001,
        r"\href{/a}{b}",
    ],
)
def test_what_cannot_be_converted_is_shown_as_source(latex: str) -> None:
    blocks = render(f"so ${latex}$ it is")
    assert parse(blocks).find("math") is None
    assert parse(blocks).select_one("code.math-source").get_text() == f"${latex}$"
    assert text_of(blocks).endswith("it is")


def test_formulas_without_end_are_bounded() -> None:
    blocks = render(" ".join(f"$a_{{{number}}}$" for number in range(2_000)))
    page = parse(blocks)
    assert len(page.find_all("math")) == 1_500
    assert len(page.select("code.math-source")) == 500
