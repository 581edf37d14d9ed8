"""Texts written to be slow take no more than about a second of work a megabyte, and no less care."""

import time

import pytest

from chats.markup import StreamRenderer, plain_text, render
from tests.chats.markup.reading import assert_safe

# Seconds of CPU time; about five times what they take on a machine of 2024, for slow and busy ones.
BOUND = 6.0
BOMBS = {
    "nested quotes": ">" * 10_000 + "a",
    "a megabyte of nested quotes": "> " * 500_000,
    "nested brackets": "[" * 10_000 + "a" + "]" * 10_000,
    "a megabyte of brackets": "[" * 1_000_000,
    "links in links": "[a](" * 250_000,
    "pictures in pictures": "![" * 500_000,
    "stars": "*" * 100_000,
    "stars and letters": "*a **b _c " * 100_000,
    "nested emphasis": "*a " * 50_000 + "b* " * 50_000,
    "one line": "a" * 1_000_000,
    "a million-character formula": "$" + "x" * 1_000_000 + "$",
    "a million dollars": "$" * 1_000_000,
    "dollars and empty lines": "$$\n\n" * 250_000,
    "opened formulas": "\\(" * 250_000 + "\\[" * 250_000,
    "many formulas": "".join(f"$x_{{{number}}}+\\frac{{a}}{{b}}$\n\n" for number in range(40_000)),
    "long formulas": "".join("$" + f"x_{{{number}}}+y^2" * 140 + "$ " for number in range(500)),
    "a deep formula": "$" + r"\frac{1}{" * 220 + "x" + "}" * 220 + "$",
    "a formula of primes": "$x" + "'" * 1_990 + "$",
    "a deep list": "".join("  " * depth + "- a\n" for depth in range(1_000)),
    "a list in a line": "- " * 500_000,
    "quotes and lists": "> - " * 250_000,
    "an endless loose list": "- a\n\n" * 200_000,
    "a wide table": "|a" * 10_000 + "|\n" + "|-" * 10_000 + "|\n" + "|a\n" * 300_000,
    "a long table": "|a|b|\n|-|-|\n" + "|a|b|\n" * 160_000,
    "code blocks": "```python\nx = 1\n```\n" * 50_000,
    "fences": "```\n" * 250_000,
    "code that lexers dislike": "```csharp\n" + "a\n" * 9_000 + "```\n```java\n" + "$ a\n" * 4_000 + "```\n",
    "backticks": "".join("`" * number + "a" for number in range(1_400)),
    "paragraphs": "a\n\n" * 330_000,
    "empty lines": "\n" * 1_000_000,
    "tags": "<a " * 330_000,
    "comments": "<!--\n\na\n\n" * 100_000,
    "entities": "&#x" * 330_000,
    "definitions": "".join(f"[a{number}]: b\n\n[a{number}]\n\n" for number in range(45_000)),
    "addresses": "https://a" * 110_000,
    "NUL": "\x00" * 1_000_000,
    "halves of pairs": "\ud800" * 1_000_000,
    "right to left": "\u202e\u05d0" * 500_000,
    "zero width": "a\u200b\u200d" * 330_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_whole(name: str) -> None:
    started = time.process_time()
    blocks = render(BOMBS[name])
    assert time.process_time() - started < BOUND
    assert_safe([block for block in blocks[:20] if len(block) < 50_000])
    assert all(deepest(block) < 60 for block in blocks)


@pytest.mark.parametrize("name", BOMBS)
def test_plain_text(name: str) -> None:
    started = time.process_time()
    assert len(plain_text(BOMBS[name], 120)) <= 120
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "name", ["stars and letters", "one line", "a list in a line", "comments", "an endless loose list", "fences"]
)
def test_as_it_comes(name: str) -> None:
    """A model gone astray: 20,000 characters, sixteen at a time."""
    text = BOMBS[name][:20_000]
    renderer = StreamRenderer()
    started = time.process_time()
    for at in range(0, len(text), 16):
        renderer.feed(text[at : at + 16])
    renderer.finish()
    assert time.process_time() - started < BOUND
    assert renderer.blocks == render(text)


def deepest(block: str) -> int:
    depth = most = 0
    for part in block.split("<")[1:]:
        if part.startswith("/"):
            depth -= 1
        elif not part.startswith(("br", "hr", "input")):
            depth += 1
            most = max(most, depth)
    return most
