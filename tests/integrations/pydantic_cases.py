"""Messages of every kind that PydanticAI knows, for the tests of its store."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from pydantic_ai import messages as m
from pydantic_ai.usage import RequestUsage

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n\0\xff"


def every_part_kind() -> list[Any]:
    """Requests and responses that hold every kind of part between them."""
    prompt = m.UserPromptPart(
        [
            "Look at this",
            m.ImageUrl("https://example.org/a.png"),
            m.BinaryContent(PNG, media_type="image/png"),
            m.DocumentUrl("https://example.org/a.pdf"),
        ],
        timestamp=NOW,
    )
    return [
        m.ModelRequest([m.SystemPromptPart("Be kind.", timestamp=NOW)], timestamp=NOW, instructions="Be short."),
        m.ModelRequest([prompt], run_id="r", conversation_id="c", metadata={"a": [1, None, "\0"]}),
        m.ModelResponse(
            [
                m.ThinkingPart("Hm.", signature="s", provider_name="p"),
                m.TextPart("Let me see: \0 🎓"),
                m.ToolCallPart("look", {"deep": {"z": 1, "a": [True]}}, tool_call_id="t1"),
                m.ToolCallPart("look", '{"unparsed": 1', tool_call_id="t2"),
                m.NativeToolCallPart("web_search", {"q": "x"}, tool_call_id="t3", provider_name="p"),
                m.NativeToolReturnPart("web_search", [{"url": "u"}], tool_call_id="t3", timestamp=NOW),
                m.FilePart(m.BinaryImage(PNG, media_type="image/png")),
                m.SpeechPart(speaker="assistant", transcript="Spoken."),
                m.CompactionPart("Earlier: hello."),
            ],
            usage=RequestUsage(input_tokens=12, output_tokens=5, details={"reasoning_tokens": 2}),
            model_name="gpt",
            timestamp=NOW,
            provider_details={"finish": "stop"},
        ),
        m.ModelRequest(
            [
                m.ToolReturnPart("look", {"found": [1, 2]}, tool_call_id="t1", timestamp=NOW, metadata={"k": 1}),
                m.ToolReturnPart("look", b"\0\xff", tool_call_id="t2", timestamp=NOW),
                m.RetryFeedbackPart("Once more, please.", retry=m.RetryInfo("model_retry", attempt=1), timestamp=NOW),
                m.SpeechPart(speaker="user", transcript="And speech."),
            ],
            timestamp=NOW,
        ),
        m.ModelResponse([], timestamp=NOW),
    ]


TEXT = st.text(max_size=20) | st.sampled_from(["a\0b", "ünïcode 🎓"])
REQUEST = st.builds(
    lambda text, more: m.ModelRequest([m.UserPromptPart(text, timestamp=NOW), *more], timestamp=NOW),
    TEXT,
    st.lists(st.builds(lambda text: m.SystemPromptPart(text, timestamp=NOW), TEXT), max_size=1),
)
RESPONSE = st.builds(
    lambda text, calls: m.ModelResponse([m.TextPart(text), *calls], timestamp=NOW),
    TEXT,
    st.lists(st.builds(lambda text: m.ToolCallPart("look", {"at": text}, tool_call_id="t"), TEXT), max_size=1),
)
MESSAGE = REQUEST | RESPONSE


def asked(text: str) -> m.ModelRequest:
    return m.ModelRequest([m.UserPromptPart(text, timestamp=NOW)], timestamp=NOW)


def answered(text: str) -> m.ModelResponse:
    return m.ModelResponse([m.TextPart(text)], timestamp=NOW)
