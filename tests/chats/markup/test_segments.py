"""Cutting a text into segments loses nothing and changes nothing of what its Markdown means."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chats.markup.parser import markdown
from chats.markup.segments import Segmenter
from tests.chats.markup.test_stream_equals_render import PIECES

TEXTS = st.lists(st.sampled_from([piece for piece in PIECES if "ref" not in piece and piece.isascii()]), max_size=40)


def segments_of(text: str) -> list[str]:
    segmenter = Segmenter()
    return [*segmenter.feed(text), segmenter.tail]


@given(text=TEXTS.map("".join))
@settings(max_examples=500, deadline=None)
def test_segments_mean_what_the_whole_means(text: str) -> None:
    text = text.replace("\r", "")
    segments = segments_of(text)
    assert "".join(segments) == text
    assert "".join(map(markdown.html, segments)) == markdown.html(text)


def test_prose_is_cut_at_every_paragraph() -> None:
    assert segments_of("One\ntwo\n\n**Three**\n\n# Four\n\nFive") == [
        "One\ntwo\n\n",
        "**Three**\n\n",
        "# Four\n\n",
        "Five",
    ]


def test_code_is_cut_out_and_stays_whole() -> None:
    code = "```python\na\n\nb\n```\n"
    assert segments_of(f"Look:\n{code}So.") == ["Look:\n", code, "So."]


def test_a_list_stays_whole_and_ends_where_it_ends() -> None:
    parts = "1. a\n\n   b\n\n2. c\n\n"
    assert segments_of(f"{parts}**So** it is") == [parts, "**So** it is"]
