"""The style sheet in `static/` is the one that the renderer's classes need."""

from pathlib import Path

from chats.markup.safety import CLASSES
from chats.markup.style_sheet import style_sheet

WRITTEN = Path(__file__).resolve().parents[3] / "static" / "chats" / "highlight.css"


def test_the_file_is_up_to_date() -> None:
    assert WRITTEN.read_text() == style_sheet(), "run python -m chats.markup.style_sheet > static/chats/highlight.css"


def test_it_is_small_and_styles_every_token_class() -> None:
    text = style_sheet()
    assert len(text) < 6_000
    for class_ in CLASSES["span"] - {"math-display"}:
        assert f".code .{class_} " in text
