"""Our own format, as `exports.document` writes it."""

import math
from typing import Any

from chats.models import ChatSession, Message
from chats.services import exports
from chats.services.imports import agents
from chats.services.imports.conversation import Conversation, Said, number, text, written
from chats.services.imports.reading import Unreadable
from core.text import is_storable

LENGTHS = {
    "title": 200,
    "title_source": 20,
    "client_id": 200,
    "external_id": 255,
    "external_user_id": 255,
    "state": 20,
    "raw_format": 40,
    "model": 100,
    "finish_reason": 20,
    "error_code": 40,
    "document_title": 300,
    "heading": 500,
}
OPTIONAL = ("client_id", "external_id")
NUMBERS = ("attempt", "prompt_tokens", "completion_tokens", "processing_time_ms", "marker", "page", "slide")
JSON_KINDS: dict[str, type] = {"metadata": dict, "context_data": dict, "tools_used": list}
DEEPEST = 100


def recognises(value: dict[str, Any]) -> bool:
    return str(value.get("format", "")).startswith("studybuddy-session/")


def read(value: dict[str, Any]) -> Conversation:
    """The conversation that `value` describes. Raises Unreadable."""
    if value["format"] != exports.FORMAT:
        raise Unreadable(f"This site reads {exports.FORMAT}, not {value['format']!r}.")
    values = {name: _value(name, value.get(name)) for name in (*exports.SESSION_TEXTS, "context_data", "metadata")}
    values |= {name: written(value.get(name), name) for name in exports.SESSION_TIMES}
    if values["title_source"] not in ChatSession.TitleSource.values:
        raise Unreadable("title_source is none that is known.")
    course = value.get("course")
    messages = [_message(message) for message in value.get("messages") or []]
    return Conversation(
        title=values.pop("title"),
        messages=messages,
        head=_key(value.get("head_id", messages[-1].key if messages else None)),
        values=values,
        course=course if isinstance(course, dict) else None,
        session_id=_key(value.get("session_id")),
        owner={"username": text(value.get("owner"), "owner", 150), "is_active": value.get("owner_active") is not False},
        agents=agents.read(value.get("agents")),
        keeps_ids=True,
    )


def _message(value: dict[str, Any]) -> Said:
    values = {name: _value(name, value.get(name)) for name in exports.MESSAGE_VALUES}
    values |= {name: written(value.get(name), name) for name in exports.MESSAGE_TIMES}
    role, content = values.pop("role"), values.pop("content")
    if role not in Message.Role.values or values["state"] not in Message.State.values:
        raise Unreadable("A message has a role or state that is not known.")
    if role != "assistant" or values["state"] in ("queued", "streaming"):
        # What ran when it was written has no runner here; what was said is complete.
        values["state"] = "stopped" if role == "assistant" else "complete"
    values["attempt"] = values["attempt"] or 0
    return Said(
        key=_key(value.get("id")) or "",
        parent=_key(value.get("parent_id")),
        role=role,
        content=content,
        created_at=values.pop("created_at"),
        values=values,
        sources=[_source(source) for source in value.get("sources") or []],
        feedback=_feedback(value.get("feedback")),
        entry_id=text(value.get("entry_id"), "entry_id", 255),
        attempts=agents.read_attempts(value.get("attempts")),
    )


def _source(value: dict[str, Any]) -> dict[str, Any]:
    source = {name: _value(name, value.get(name)) for name in exports.CITATION_VALUES}
    for name in ("passage_id", "document_id", "course_id"):
        source[name] = _key(value.get(name))
    source["marker"] = source["marker"] or 0
    return source


def _feedback(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if value["rating"] not in (-1, 1):
        raise Unreadable("A rating must be 1 or -1.")
    return {
        "rating": value["rating"],
        "comment": text(value.get("comment"), "comment", 5000),
        "created_at": written(value.get("created_at"), "created_at"),
        "updated_at": written(value.get("updated_at"), "updated_at"),
    }


def _value(name: str, value: Any) -> Any:
    if name in JSON_KINDS:
        return _json(name, value)
    if name in NUMBERS:
        return number(value, name)
    if name in ("start_seconds", "score"):
        return None if value is None else _finite(value, name)
    if name == "cited":
        return value if isinstance(value, bool) else None
    if name == "raw":
        return text(value, name)
    found = text(value, name, LENGTHS.get(name, 10_000_000))
    return (found or None) if name in OPTIONAL else found


def _json(name: str, value: Any) -> Any:
    kind = JSON_KINDS[name]
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise Unreadable(f"{name} must be {'an object' if kind is dict else 'a list'}.")
    level, depth = [value], 0
    while level:
        if depth > DEEPEST or any(isinstance(item, str) and not is_storable(item) for item in level):
            raise Unreadable(f"{name} holds what can't be stored.")
        inner = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        keys = [key for item in level if isinstance(item, dict) for key in item]
        level, depth = [*keys, *(one for items in inner for one in items)], depth + 1
    return value


def _finite(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unreadable(f"{name} must be a number.")
    return float(value)


def _key(value: Any) -> str | None:
    return None if value is None else str(value)
