"""PydanticAI's messages as messages of a conversation, and back without loss."""

import json
from collections.abc import Sequence
from typing import Any

from chats.integrations.bridge import INSTALL, dumps
from chats.services.transcripts import Draft, Line

try:
    from pydantic_ai.messages import (
        ModelMessage,
        ModelMessagesTypeAdapter,
        ModelRequest,
        ModelResponse,
        TextPart,
        UserPromptPart,
    )
    from pydantic_core import PydanticSerializationError
except ImportError as missing:
    raise ImportError(f"Keeping PydanticAI's messages needs the package pydantic-ai-slim: {INSTALL}") from missing

FORMAT = "pydantic-ai"
RESULTS = {"tool-return", "retry-prompt", "retry-feedback"}


def dump(message: ModelMessage) -> str:
    """One message as the JSON text that PydanticAI itself writes, in a form that any text column can hold."""
    try:
        return ModelMessagesTypeAdapter.dump_json([message]).decode()[1:-1]
    except PydanticSerializationError:
        # Half a surrogate pair has no UTF-8; as an escape in JSON text it can be kept.
        return dumps(ModelMessagesTypeAdapter.dump_python([message], mode="json")[0])


def load(rows: Sequence[Line]) -> list[ModelMessage]:
    """The messages that `rows` keep; what others made is read as a plain prompt or answer."""
    own = [row.raw for row in rows if row.raw_format == FORMAT]
    loaded = iter(_validated(own))
    return [next(loaded) if row.raw_format == FORMAT else _plain(row) for row in rows]


def draft(message: ModelMessage) -> Draft:
    """What is stored of `message`: readable text by role, and the whole of it as `raw`."""
    raw = dump(message)
    if isinstance(message, ModelResponse):
        return _response_draft(message, raw)
    kinds = {part.part_kind for part in message.parts}
    if kinds & {"user-prompt", "speech"}:
        said = "\n".join(filter(None, (_said(part) for part in message.parts)))
        return Draft(role="user", content=said, raw=raw, raw_format=FORMAT)
    if kinds & RESULTS:
        parts: list[Any] = [part for part in message.parts if part.part_kind in RESULTS]
        content = "\n".join(_readable(part.content) for part in parts)
        names = [part.tool_name for part in parts if getattr(part, "tool_name", None)]
        return Draft(role="tool", content=content, raw=raw, raw_format=FORMAT, tools_used=names)
    content = "\n".join(part.content for part in message.parts if part.part_kind == "system-prompt")
    return Draft(role="system", content=content, raw=raw, raw_format=FORMAT)


def _response_draft(message: ModelResponse, raw: str) -> Draft:
    said = "".join(part.content for part in message.parts if isinstance(part, TextPart))
    said = said or "\n".join(filter(None, (_said(part) for part in message.parts)))
    calls: list[Any] = [part for part in message.parts if part.part_kind in ("tool-call", "builtin-tool-call")]
    called = "\n".join(f"{part.tool_name}({_readable(part.args or '')})" for part in calls)
    return Draft(
        role="assistant" if said else "tool",
        content=said or called or "[no text]",
        raw=raw,
        raw_format=FORMAT,
        reasoning=message.thinking or "",
        tools_used=[part.tool_name for part in calls],
        model=message.model_name or "",
        prompt_tokens=message.usage.input_tokens or None,
        completion_tokens=message.usage.output_tokens or None,
    )


def _validated(raws: list[str]) -> list[ModelMessage]:
    text = f"[{','.join(raws)}]"
    if "\\ud" in text.lower():
        return ModelMessagesTypeAdapter.validate_python(json.loads(text))
    return ModelMessagesTypeAdapter.validate_json(text)


def _plain(row: Line) -> ModelMessage:
    if row.role == "user":
        return ModelRequest(parts=[UserPromptPart(row.content, timestamp=row.created_at)], timestamp=row.created_at)
    return ModelResponse(parts=[TextPart(row.content)], model_name=row.model or None, timestamp=row.created_at)


def _said(part: Any) -> str:
    """What a person or the model said in this part: text, a transcript, a note in place of a file."""
    if part.part_kind == "user-prompt":
        return part.content if isinstance(part.content, str) else "\n".join(map(_item_text, part.content))
    if part.part_kind == "speech":
        return part.transcript or "[speech]"
    return "[file]" if part.part_kind == "file" else ""


def _item_text(item: Any) -> str:
    text = item if isinstance(item, str) else getattr(item, "content", None)
    return text if isinstance(text, str) else f"[{getattr(item, 'kind', 'file')}]"


def _readable(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return dumps(value)
    except (TypeError, ValueError):
        return str(value)
