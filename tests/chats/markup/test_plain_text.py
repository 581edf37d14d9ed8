"""Plain text for titles, snippets and announcements."""

import pytest

from chats.markup import plain_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# What is **gradient** descent?", "What is gradient descent?"),
        ("a\nb\n\n- c\n- d", "a b c d"),
        ("`x` and $y^2$ and [a link](https://a.example)", "x and y^2 and a link"),
        ("```python\nx = 1\n```", "x = 1"),
        ("| a | b |\n|-|-|\n| c | d |", "a b c d"),
        ("![a cat](https://a.example/x.png)", "a cat"),
        ("a<br>b <i>c</i>", "a b <i>c</i>"),
        ("a &amp; b \x00\ud800", "a & b \ufffd\ufffd"),
        ("", ""),
    ],
)
def test_what_a_reader_would_read(text: str, expected: str) -> None:
    assert plain_text(text, 100) == expected


def test_it_is_cut_at_a_word() -> None:
    assert plain_text("Gradient descent explained simply", 20) == "Gradient descent…"
    assert plain_text("Gradient descent", 16) == "Gradient descent"
    assert plain_text("Donaudampfschifffahrt", 10) == "Donaudamp…"
    assert plain_text("abc", 0) == ""
