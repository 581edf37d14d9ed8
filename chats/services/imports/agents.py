"""What agent frameworks and the turn inspector keep besides messages: out of our own file, and into rows."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from chats.models import AgentEntry, AgentRun, AgentState, ChatSession, ReplyAttempt
from chats.services import exports
from chats.services.imports.conversation import Conversation, Said, text, written
from chats.services.imports.reading import Unreadable
from core.ids import parse_uuid

BATCH = 500
BIGGEST = 2**63 - 1
NAME, KIND = 255, 40
SHORT = {"framework": 20, "kind": 20, "status": KIND, "outcome": 20, "error_code": 40, "request_id": 200}
WHOLE = ("run_index", "span", "created_at", "updated_at", "attempt")
NULLABLE = ("scope", "run_index")


def read(value: Any) -> dict[str, list[dict[str, Any]]]:
    """The states and runs of a conversation's `agents`, checked. Raises Unreadable."""
    given = value or {}
    return {
        "states": [
            {**_values(one, exports.STATE_VALUES), "head": one.get("head_id"), "saved_at": _needed(one, "saved_at")}
            for one in given.get("states") or []
        ],
        "runs": [
            {**_values(one, exports.RUN_VALUES), "anchor": one.get("anchor_id")} for one in given.get("runs") or []
        ],
    }


def read_attempts(value: Any) -> list[dict[str, Any]]:
    """What operators see of a reply's attempts. Raises Unreadable."""
    return [
        {
            **_values(one, exports.ATTEMPT_VALUES),
            **{name: written(one.get(name), name) for name in exports.ATTEMPT_TIMES},
            "started_at": _needed(one, "started_at"),
            "runner": parse_uuid(one.get("runner")) or UUID(int=0),
        }
        for one in value or []
    ]


def store(session: ChatSession, conversation: Conversation, ids: Mapping[str, UUID]) -> None:
    """Write what frameworks keep about the session, its messages called as they are here. Call it in a transaction."""
    named = [(ids[one.key], one.entry_id) for one in conversation.messages if one.entry_id and one.key in ids]
    AgentEntry.objects.bulk_create((AgentEntry(message_id=pk, entry_id=name) for pk, name in named), batch_size=BATCH)
    AgentState.objects.bulk_create(
        AgentState(session=session, **_placed(state, "head", ids)) for state in conversation.agents.get("states", [])
    )
    AgentRun.objects.bulk_create(
        (AgentRun(session=session, **_placed(run, "anchor", ids)) for run in conversation.agents.get("runs", [])),
        batch_size=BATCH,
    )


def store_attempts(messages: list[Said], ids: Mapping[str, UUID]) -> None:
    rows = (ReplyAttempt(reply_id=ids[one.key], **attempt) for one in messages for attempt in one.attempts)
    ReplyAttempt.objects.bulk_create(rows, batch_size=BATCH)


def _placed(row: dict[str, Any], name: str, ids: Mapping[str, UUID]) -> dict[str, Any]:
    """The row with its message's id here; one that is no message of the file stays what it is: it points nowhere."""
    key = row[name]
    return {**row, name: ids.get(str(key)) or parse_uuid(key)}


def _values(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _value(name, row.get(name)) for name in names}


def _value(name: str, value: Any) -> Any:
    if name == "prompt":
        # JSON text, which holds whatever people write; a list where it was made by hand.
        return value if isinstance(value, list) else text(value, name)
    if name == "shown":
        return value is not False
    if name in WHOLE:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or abs(value) > BIGGEST):
            raise Unreadable(f"{name} must be a whole number.")
        return value
    if value is None and name in NULLABLE:
        return None
    if name == "data":
        return text(value, name)
    return text(value, name, SHORT.get(name, NAME))


def _needed(row: dict[str, Any], name: str) -> Any:
    moment = written(row.get(name), name)
    if moment is None:
        raise Unreadable(f"{name} is missing.")
    return moment
