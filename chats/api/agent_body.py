"""What may be sent to the agent's address: a plain message, or what AI SDK's `useChat` sends."""

import hashlib
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.fields import Body, FlagField, NameField

SUBMIT, REGENERATE = "submit-message", "regenerate-message"
CLIENT_ID_LENGTH = 200


@dataclass(frozen=True)
class Asked:
    """One request to the agent. `name` is how the client calls the session when it is none of ours yet."""

    text: str | None
    client_id: str | None
    session_id: str | None
    name: str | None
    course_id: str | None
    document_id: str | None
    lecture_id: str | None
    model: str
    stream: bool
    regenerates: bool = False
    message_id: str | None = None


@extend_schema_field({"type": "string", "description": "The question. An AI SDK message with text parts will do too."})
class MessageField(serializers.Field):  # type: ignore[type-arg]
    """A question: its text, or an AI SDK message with text parts. Gives the text and the message's own id."""

    def to_internal_value(self, data: Any) -> tuple[str, str | None]:
        if isinstance(data, str):
            return data, None
        if not isinstance(data, dict):
            raise serializers.ValidationError("This must be a text, or a message with parts.")
        text, given_id = _text_of(data), data.get("id")
        if given_id is not None and not isinstance(given_id, str):
            raise serializers.ValidationError("A message's id must be a string.")
        return text, given_id or None


class AgentBody(Body):
    """Fields that are not ours are ignored: `useChat` lets programs send what they like beside its own."""

    is_closed = False

    message = MessageField(required=False)
    messages = serializers.ListField(child=serializers.DictField(), required=False, max_length=10_000)
    id = NameField(max_length=255)
    session_id = NameField(max_length=255)
    course_id = NameField(max_length=100)
    document_id = NameField(max_length=100)
    lecture_id = NameField(max_length=100)
    client_id = NameField(max_length=CLIENT_ID_LENGTH)
    trigger = serializers.ChoiceField(choices=[SUBMIT, REGENERATE], required=False, allow_null=True)
    messageId = NameField(max_length=CLIENT_ID_LENGTH)  # noqa: N815 - AI SDK's name
    model = NameField(max_length=100)
    stream = FlagField(default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("trigger") == REGENERATE:
            attrs["question"] = (None, None)
        elif "message" in attrs:
            attrs["question"] = attrs["message"]
        else:
            attrs["question"] = _last_question(attrs.get("messages"))
        _fits(attrs["question"][1])
        return attrs


def read(data: dict[str, Any]) -> Asked:
    """The request in a valid body (of `AgentBody`)."""
    text, message_id = data["question"]
    names = ("session_id", "course_id", "document_id", "lecture_id")
    return Asked(
        text=text,
        client_id=data.get("client_id") or _client_id(text, message_id, data.get("messageId")),
        name=data.get("id"),
        model=data.get("model") or "",
        stream=data["stream"],
        regenerates=data.get("trigger") == REGENERATE,
        message_id=data.get("messageId"),
        **{name: data.get(name) for name in names},
    )


def _client_id(text: str | None, message_id: str | None, edited: str | None) -> str | None:
    """AI SDK keeps a message's id when its text is edited, so an edit is named by its text as well."""
    if edited is None or text is None:
        return message_id
    return hashlib.sha256(f"{edited}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


def _last_question(messages: list[dict[str, Any]] | None) -> tuple[str, str | None]:
    last = next((message for message in reversed(messages or []) if message.get("role") == "user"), None)
    if last is None:
        raise serializers.ValidationError({"message": ["Send a message, or messages with one by the user."]})
    question: tuple[str, str | None] = MessageField().to_internal_value(last)
    return question


def _text_of(message: dict[str, Any]) -> str:
    parts = message.get("parts")
    if isinstance(parts, list):
        texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
        return "\n\n".join(text for text in texts if isinstance(text, str))
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _fits(message_id: str | None) -> None:
    if message_id is not None:
        NameField(max_length=CLIENT_ID_LENGTH).run_validation(message_id)
