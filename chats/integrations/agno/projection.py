"""What people read of an Agno run, and what Agno reads of turns that were made elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from agno.db.utils import CustomJSONEncoder
from agno.run.base import RunStatus

from chats.integrations.bridge import dumps
from chats.services.transcripts import Draft, Line

FORMAT = "agno"
COMPONENTS = {"agent": "agent_id", "team": "team_id", "workflow": "workflow_id"}


def as_json(value: Any) -> str:
    """JSON text of what Agno keeps, written as its own databases write it."""
    return dumps(value, CustomJSONEncoder)


def drafts(run: Mapping[str, Any]) -> list[Draft]:
    """The run's messages as they stand in the conversation; never none, since a run has its place there."""
    run_id = str(run.get("run_id"))
    if run.get("parent_run_id"):
        name = str(run.get("agent_name") or run.get("team_name") or "member")
        return [_draft(run_id, "tool", f"{name}: {_text(run.get('content'))}", tools_used=[name])]
    told = [_message_draft(run_id, message, run) for message in run.get("messages") or [] if _is_told(message)]
    made = [draft for draft in told if draft is not None] or _bare_drafts(run_id, run)
    return made or [_draft(run_id, "tool", f"[{str(run.get('status') or 'run').lower()}]")]


def foreign_runs(rows: Sequence[Line], *, kind: str, component_id: str, session_id: str) -> list[dict[str, Any]]:
    """Turns made elsewhere as runs: a question with what answered it. Keyed by their first message's id."""
    turns: list[list[Line]] = []
    for row in rows:
        if row.role == "user" or not turns:
            turns.append([])
        turns[-1].append(row)
    return [_foreign_run(turn, kind, component_id, session_id) for turn in turns]


def _foreign_run(turn: Sequence[Line], kind: str, component_id: str, session_id: str) -> dict[str, Any]:
    created = int(turn[0].created_at.timestamp())
    answers = [row.content for row in turn if row.role == "assistant"]
    run: dict[str, Any] = {
        "run_id": str(turn[0].id),
        COMPONENTS[kind]: component_id or None,
        "session_id": session_id,
        "content": answers[-1] if answers else None,
        "content_type": "str",
        "messages": [_foreign_message(row) for row in turn],
        "created_at": created,
        "status": RunStatus.completed.value,
    }
    if turn[0].role == "user":
        run["input"] = turn[0].content if kind == "workflow" else {"input_content": turn[0].content}
    return run


def _foreign_message(row: Line) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "role": row.role,
        "content": row.content,
        "from_history": False,
        "created_at": int(row.created_at.timestamp()),
    }


def _is_told(message: Any) -> bool:
    """Whether a message is part of what was said: not the instructions, not the history that was sent along."""
    return isinstance(message, Mapping) and message.get("role") != "system" and not message.get("from_history")


def _message_draft(run_id: str, message: Mapping[str, Any], run: Mapping[str, Any]) -> Draft | None:
    role, content = message.get("role"), _text(message.get("content"))
    reasoning = _text(message.get("reasoning_content"))
    if role == "tool":
        return _draft(run_id, "tool", content, tools_used=_names(message.get("tool_name")))
    if role == "assistant" or role == "model":
        calls = [_call(call) for call in message.get("tool_calls") or []]
        names = [name for name, _ in calls]
        if content:
            model = str(run.get("model") or "")
            return _draft(run_id, "assistant", content, tools_used=names, reasoning=reasoning, model=model)
        called = "\n".join(f"{name}({arguments})" for name, arguments in calls)
        return _draft(run_id, "tool", called, tools_used=names, reasoning=reasoning) if called else None
    return _draft(run_id, "user" if role == "user" else "system", content)


def _bare_drafts(run_id: str, run: Mapping[str, Any]) -> list[Draft]:
    """For runs that keep no messages: a workflow's, or one that has only begun."""
    given = run.get("input")
    asked = _text(given.get("input_content") if isinstance(given, Mapping) else given)
    answered = _text(run.get("content"))
    pairs = [("user", asked), ("assistant", answered)]
    return [_draft(run_id, role, text) for role, text in pairs if text]


def _draft(run_id: str, role: str, content: str, **fields: Any) -> Draft:
    return Draft(role=role, content=content, raw=as_json(run_id), raw_format=FORMAT, **fields)


def _call(call: Any) -> tuple[str, str]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return ("tool", "")
    return str(function.get("name") or "tool"), _text(function.get("arguments"))


def _names(name: Any) -> list[str]:
    return [str(name)] if name else []


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(part, Mapping) and "text" in part for part in value):
        return "\n".join(str(part["text"]) for part in value)
    try:
        return as_json(value)
    except TypeError:
        return str(value)
