"""What the encoder makes of a reply's events, whatever their order."""

import json
import uuid
from typing import Any

import pytest

from chats.api.ai_sdk import RESTARTED, Encoder
from chats.models import ChatSession, Message
from chats.replies.events import Event, ReasoningDelta, Restarted, Snapshot, SourcesKnown, TextDelta

REPLY = uuid.UUID("0198c0de-7e57-7000-8000-000000000001")
SESSION = uuid.UUID("0198c0de-7e57-7000-8000-000000000002")
SOURCE = {"marker": 1, "passage_id": None, "title": "Notes", "locator": {"slide": 2}, "cited": None}


def snapshot(text: str = "", reasoning: str = "", attempt: int = 1, sources: Any = None) -> Snapshot:
    return Snapshot(REPLY, attempt, text, reasoning, sources, [])


def encode(*events: Event) -> list[dict[str, Any]]:
    encoder = Encoder(reply_id=REPLY, session_id=SESSION)
    text = "".join(frame for event in events for frame in encoder.take(event))
    found = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [json.loads(line) for line in found if line != "[DONE]"]


def types(parts: list[dict[str, Any]]) -> list[str]:
    return [part["type"] for part in parts]


def test_a_snapshot_is_replayed_in_order() -> None:
    parts = encode(snapshot("Hello", "Hm.", sources=[SOURCE]))
    assert types(parts) == [
        "start",
        "start-step",
        "source-document",
        "data-sources",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
    ]
    assert parts[2]["sourceId"] == "source-1"
    assert parts[2]["providerMetadata"] == {"studybuddy": {"marker": 1, "slide": 2}}


def test_pieces_follow_without_repetition() -> None:
    parts = encode(
        snapshot("He"),
        SourcesKnown(REPLY, 1, [SOURCE]),
        SourcesKnown(REPLY, 1, [SOURCE]),
        TextDelta(REPLY, 1, 2, "llo", 0, []),
        TextDelta(REPLY, 1, 0, "Hello 👋", 0, []),
        snapshot("Hello 👋🏽 you"),
    )
    assert "".join(part["delta"] for part in parts if part["type"] == "text-delta") == "Hello 👋🏽 you"
    assert types(parts).count("data-sources") == 1
    assert types(parts).count("text-start") == 1


def test_thoughts_after_text_are_a_part_of_their_own() -> None:
    parts = encode(
        snapshot(),
        ReasoningDelta(REPLY, 1, 0, "a"),
        TextDelta(REPLY, 1, 0, "b", 0, []),
        ReasoningDelta(REPLY, 1, 1, "c"),
        TextDelta(REPLY, 1, 1, "d", 0, []),
    )
    started = [part["id"] for part in parts if part["type"] == "reasoning-start"]
    assert started == ["reasoning-1", "reasoning-2"]
    assert types(parts).count("reasoning-end") == 2


@pytest.mark.parametrize(
    "event", [Restarted(REPLY, 2), snapshot("again", attempt=2), TextDelta(REPLY, 2, 0, "x", 0, [])]
)
def test_a_restart_ends_the_stream_with_an_error(event: Event) -> None:
    parts = encode(snapshot("Hel"), event)
    assert types(parts)[-2:] == ["text-end", "error"]
    assert parts[-1]["errorText"] == RESTARTED


def test_a_restart_between_the_last_event_and_the_end_is_no_success() -> None:
    encoder = Encoder(reply_id=REPLY, session_id=SESSION)
    list(encoder.take(snapshot("Hel")))
    reply = Message(id=REPLY, session=ChatSession(id=SESSION), role="assistant", attempt=2, content="Other text")
    assert any(RESTARTED in frame for frame in list(encoder.end(reply)))
    assert encoder.is_over
