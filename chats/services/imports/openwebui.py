"""Open WebUI's export of chats: messages by id, each with its parent, and which one is shown."""

import html
import re
from typing import Any

from chats.services.imports.conversation import Conversation, Said, seconds, text

ROLES = ("user", "assistant", "system", "tool")
# Thoughts are kept in the text itself, folded away.
THOUGHTS = re.compile(r"<details\b[^>]*\btype=\"reasoning\"[^>]*>(.*?)</details>\s*", re.DOTALL)
SUMMARY = re.compile(r"<summary>.*?</summary>", re.DOTALL)


def recognises(value: dict[str, Any]) -> bool:
    chat = value.get("chat")
    return isinstance(chat, dict) and ("history" in chat or "messages" in chat)


def read(value: dict[str, Any]) -> Conversation:
    chat = value["chat"]
    history = chat.get("history") or {}
    known = history.get("messages")
    messages = list(known.values()) if isinstance(known, dict) and known else _in_a_row(chat.get("messages") or [])
    head = history.get("currentId")
    return Conversation(
        title=text(value.get("title") or chat.get("title"), "title")[:200],
        messages=[read_message for message in messages if (read_message := _message(message)) is not None],
        head=str(head) if head else (str(messages[-1]["id"]) if messages else ""),
        values={
            "created_at": seconds(value.get("created_at") or chat.get("timestamp")),
            "last_activity_at": seconds(value.get("updated_at")),
            "pinned": value.get("pinned") is True,
            "archived": value.get("archived") is True,
            "metadata": {"imported_from": "openwebui", "original_id": text(value.get("id"), "id", 1000)},
        },
    )


def _in_a_row(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Old exports have a plain list."""
    row: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        row.append({**message, "id": str(number), "parentId": str(number - 1) if number else None})
    return row


def _message(message: dict[str, Any]) -> Said | None:
    role = message.get("role")
    if role not in ROLES:
        return None
    content = message.get("content")
    said = _joined(content) if isinstance(content, list) else text(content, "content")
    thoughts = [SUMMARY.sub("", found.group(1)) for found in THOUGHTS.finditer(said)] if role == "assistant" else []
    values: dict[str, Any] = {}
    if thoughts:
        said = THOUGHTS.sub("", said)
        lines = (line.removeprefix("> ").removeprefix(">") for line in html.unescape("\n".join(thoughts)).splitlines())
        values["reasoning"] = "\n".join(lines).strip()
    if role == "assistant":
        values["model"] = text(message.get("model"), "model")[:100]
        if message.get("error"):
            values |= {"state": "failed", "error_code": "imported", "error_message": "It failed where it was asked."}
    parent = message.get("parentId")
    return Said(
        key=str(message["id"]),
        parent=str(parent) if parent else None,
        role=role,
        content=said,
        created_at=seconds(message.get("timestamp")),
        values=values,
    )


def _joined(parts: list[Any]) -> str:
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n\n".join(text(one, "content") for one in texts if one)
