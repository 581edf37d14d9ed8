"""A conversation from elsewhere, checked and in our words, before it is stored."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chats.services.imports.reading import Unreadable
from core.text import storable

LONGEST = 10_000_000
LARGEST = 2**31 - 1


@dataclass
class Said:
    """One message. `key` and `parent` are its and its parent's id in the file; `values` are fields of ours."""

    key: str
    parent: str | None
    role: str
    content: str
    created_at: datetime | None = None
    values: dict[str, Any] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    feedback: dict[str, Any] | None = None
    entry_id: str = ""
    attempts: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Conversation:
    """`head` is the key of the last message of the branch that was shown; one that isn't there means the last message,
    None that none was shown. `keeps_ids`: keys are ids of ours.
    """

    title: str
    messages: list[Said]
    head: str | None
    values: dict[str, Any] = field(default_factory=dict)
    course: dict[str, Any] | None = None
    session_id: str | None = None
    owner: dict[str, Any] = field(default_factory=dict)
    agents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    keeps_ids: bool = False


def in_order(messages: list[Said]) -> list[Said]:
    """Parents before children. A parent that isn't there makes a first message; a circle is left out."""
    known = {message.key: message for message in messages}
    children: dict[str | None, list[Said]] = {}
    for message in known.values():
        parent = message.parent if message.parent in known else None
        message.parent = parent
        children.setdefault(parent, []).append(message)
    ordered: list[Said] = []
    waiting = list(reversed(children.get(None, [])))
    while waiting:
        message = waiting.pop()
        ordered.append(message)
        waiting += reversed(children.get(message.key, []))
    return ordered


def text(value: Any, what: str, longest: int = LONGEST) -> str:
    """A text, or an empty one for null; what a column can't hold is replaced. Raises Unreadable."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{what} must be text.")
    if len(value) > longest:
        raise Unreadable(f"{what} has more than {longest} characters.")
    return storable(value)


def number(value: Any, what: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise Unreadable(f"{what} must be a whole number.")
    return value


def seconds(value: Any) -> datetime | None:
    """The moment of a Unix time, which some write in milliseconds or nanoseconds; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    while value > 100_000_000_000:
        value /= 1000
    return datetime.fromtimestamp(value, UTC)


def written(value: Any, what: str) -> datetime | None:
    """The moment of an ISO 8601 text, or None for null. Raises Unreadable."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise Unreadable(f"{what} must be a time in ISO 8601.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
