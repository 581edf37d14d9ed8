"""ChatGPT's `conversations.json`: a mapping of nodes, each with its parent and perhaps a message."""

from typing import Any

from chats.services.imports.conversation import Conversation, Said, seconds, text

ROLES = ("user", "assistant", "tool")
# What is between the lines: settings, recaps, the model's own notes.
UNSAID = ("user_editable_context", "model_editable_context", "reasoning_recap")


def recognises(value: dict[str, Any]) -> bool:
    return isinstance(value.get("mapping"), dict)


def read(value: dict[str, Any]) -> Conversation:
    nodes: dict[str, Any] = value["mapping"]
    messages = {key: message for key, node in nodes.items() if (message := _message(key, node)) is not None}
    thoughts = {key: _thoughts(node) for key, node in nodes.items()}
    for key, message in messages.items():
        message.parent, passed = _kept(nodes[key].get("parent"), nodes, messages)
        reasoning = [thoughts[node] for node in reversed(passed) if thoughts[node]]
        if reasoning and message.role == "assistant":
            message.values["reasoning"] = "\n\n".join(reasoning)
    head, _ = _kept(value.get("current_node"), nodes, messages)
    return Conversation(
        title=text(value.get("title"), "title")[:200],
        messages=sorted(messages.values(), key=_age),
        head=head or "",
        values={
            "created_at": seconds(value.get("create_time")),
            "last_activity_at": seconds(value.get("update_time")),
            "metadata": {
                "imported_from": "chatgpt",
                "original_id": text(value.get("conversation_id") or value.get("id"), "id", 1000),
            },
        },
    )


def _kept(key: Any, nodes: dict[str, Any], messages: dict[str, Said]) -> tuple[str | None, list[str]]:
    """The nearest node at or above `key` that is kept, and the ones passed over on the way."""
    passed: list[str] = []
    while key in nodes and key not in messages and key not in passed:
        passed.append(key)
        key = nodes[key].get("parent")
    return (key if key in messages else None), passed


def _message(key: str, node: dict[str, Any]) -> Said | None:
    message = node.get("message")
    if not message or (message.get("metadata") or {}).get("is_visually_hidden_from_conversation"):
        return None
    role = (message.get("author") or {}).get("role")
    content = _text(message.get("content") or {})
    if role not in ROLES or not content.strip():
        return None
    model = (message.get("metadata") or {}).get("model_slug")
    return Said(
        key=key,
        parent=None,
        role=role,
        content=content,
        created_at=seconds(message.get("create_time")),
        values={"model": text(model, "model")[:100]} if role == "assistant" else {},
    )


def _text(content: dict[str, Any]) -> str:
    kind = content.get("content_type")
    if kind in UNSAID or kind == "thoughts":
        return ""
    if kind == "code":
        language = content.get("language") or ""
        return f"```{'' if language == 'unknown' else language}\n{text(content.get('text'), 'text')}\n```"
    if kind == "execution_output":
        return f"```\n{text(content.get('text'), 'text')}\n```"
    parts = content.get("parts")
    if isinstance(parts, list):
        return "\n\n".join(filter(None, (_part(part) for part in parts)))
    return text(content.get("text") or content.get("result"), "text")


def _part(part: Any) -> str:
    if isinstance(part, str):
        return text(part, "part")
    if not isinstance(part, dict):
        return ""
    if isinstance(part.get("text"), str):
        return text(part["text"], "part")
    kind = str(part.get("content_type", "attachment")).removesuffix("_asset_pointer").replace("_", " ")
    return f"*({kind})*"


def _thoughts(node: dict[str, Any]) -> str:
    content = (node.get("message") or {}).get("content") or {}
    if content.get("content_type") != "thoughts":
        return ""
    thoughts = [thought.get("content") for thought in content.get("thoughts") or [] if isinstance(thought, dict)]
    return "\n\n".join(text(thought, "thought") for thought in thoughts if thought)


def _age(message: Said) -> float:
    return message.created_at.timestamp() if message.created_at else 0.0
