"""Conversations as other programs keep them: prepared messages added to the shown branch, and the branch read back.

Whoever changes a conversation holds its row's lock until the transaction ends, so batches never interleave. Both
directions cost what they move: an append looks at the last message only, a reading walks up from it as far as it was
asked to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from chats.models import ChatSession, Message
from chats.services import branches, owners
from chats.services.news import tell
from chats.services.sessions import TITLE_LENGTH
from core import statements
from core.ids import uuid7
from core.text import storable

SPOKEN = ("user", "assistant")
ROLES = (*SPOKEN, "system", "tool")
EVERYTHING = 2**31 - 1

# A framework sees its own rows and what everybody can read: finished messages by people and the tutor.
VISIBLE = """(m.deleted_at IS NULL AND (m.raw_format IN ({formats}) OR (
    m.role IN ('user', 'assistant') AND m.content <> '' AND m.state NOT IN ('queued', 'streaming'))))"""
# What another program calls the message, where that is not its id.
ENTRY_ID = "(SELECT e.entry_id FROM chats_agententry e WHERE e.message_id = branch.id) AS entry_id"
COLUMNS = "id, parent_id, role, content, raw, raw_format, model, created_at"
UP = """
WITH RECURSIVE {before}branch ({columns}, shown, taken, distance) AS (
    SELECT {own_columns}, {visible}, CASE WHEN {visible} THEN 1 ELSE 0 END, 0
    FROM chats_message m WHERE m.id = {head}
    UNION ALL
    SELECT {own_columns}, {visible}, b.taken + CASE WHEN {visible} THEN 1 ELSE 0 END, b.distance + 1
    FROM branch b JOIN chats_message m ON m.id = b.parent_id
    WHERE b.taken < %s
)
SELECT {columns}, {entry_id} FROM branch WHERE shown ORDER BY distance DESC
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A message that is ready to be stored: what people read, and the framework's own item as JSON text."""

    role: str
    content: str
    raw: str = ""
    raw_format: str = ""
    reasoning: str = ""
    tools_used: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    created_at: datetime | None = None
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A message as a framework reads it. `entry_id` is its name there, where that is not its id."""

    id: UUID
    parent_id: UUID | None
    role: str
    content: str
    raw: str
    raw_format: str
    model: str
    created_at: datetime
    entry_id: str | None


def append(session: ChatSession, drafts: Sequence[Draft], *, parent_id: UUID | None = None) -> list[Message]:
    """Add messages after the end of the (locked) session's shown branch, or after `parent_id`. Returns them.

    Raises ReplyRunning while the tutor answers.
    """
    after = session.head_id if parent_id is None else parent_id
    return attach(session, drafts, after, ordinal=branches.ordinal_at(session, after))


def attach(
    session: ChatSession, drafts: Sequence[Draft], parent_id: UUID | None, *, ordinal: int | None = None
) -> list[Message]:
    """Add messages below `parent_id` (None: as a new first message), whose ordinal may be known, and show them."""
    if not drafts:
        return []
    messages = _chain(session, drafts, parent_id, _ordinal(parent_id) if ordinal is None else ordinal)
    with statements.together():
        statements.insert(messages)
        show(session, messages[-1].pk, title=title_of(messages))
    return messages


def add(
    session: ChatSession, drafts: Sequence[Draft], parent_id: UUID | None, *, ordinal: int | None = None
) -> list[Message]:
    """The same without showing them: whoever calls this shows what is to be shown."""
    if not drafts:
        return []
    messages = _chain(session, drafts, parent_id, _ordinal(parent_id) if ordinal is None else ordinal)
    statements.insert(messages)
    return messages


def _ordinal(message_id: UUID | None) -> int:
    ordinals = Message.objects.values_list("ordinal", flat=True)
    return 0 if message_id is None else ordinals.get(pk=message_id)


def existing(ids: Iterable[UUID]) -> set[UUID]:
    """Which of these are ids of messages already."""
    wanted = [statements.key(one) for one in ids]
    if len(wanted) > statements.FEW:
        return set(Message.objects.filter(pk__in=wanted).order_by().values_list("pk", flat=True))
    query = f"SELECT id FROM chats_message WHERE id IN ({', '.join(['%s'] * len(wanted))})"  # noqa: S608 - marks only
    return {statements.uuid(pk) for (pk,) in statements.fetch(query, wanted)}


def copy_branch(session: ChatSession, source: Message, *, first: UUID | None = None) -> dict[UUID, UUID]:
    """Copy all messages up to `source`, or those from `first` on, into the (locked) session as a branch not shown yet.

    Returns the copies' ids by the originals'. Ratings and sources stay with the originals.
    """
    ids = branches.ids_up_from(start=source.pk, session_id=source.session_id, count=EVERYTHING, roles=ROLES)
    if first is not None:
        ids = ids[: ids.index(first) + 1]
    found = Message.objects.in_bulk(ids)
    before = found[first].ordinal - (found[first].role in SPOKEN) if first is not None else 0
    copies: dict[UUID, UUID] = {}
    rows: list[Message] = []
    parent_id: UUID | None = None
    for original in reversed(ids):
        row = found[original]
        row.pk, row.session_id, row.parent_id, row.client_id = uuid7(), session.pk, parent_id, None
        row.ordinal -= before
        parent_id = copies[original] = row.pk
        rows.append(row)
    Message.objects.bulk_create(rows, batch_size=500)
    if naming := _naming(session, title_of(rows)):
        ChatSession.objects.filter(pk=session.pk).update(**naming)
    return copies


def show(session: ChatSession, head_id: UUID | None, *, title: str = "", moment: datetime | None = None) -> None:
    """Show the branch that ends at `head_id`.

    `title` names a session that has no name yet; `moment` (default: now) is when the session was last used.
    """
    now = timezone.now()
    changes: dict[str, Any] = {"head_id": head_id, "last_activity_at": moment or now, "updated_at": now}
    changes |= _naming(session, title)
    statements.put(ChatSession, "id = %s", [statements.key(session.pk)], **changes)
    for name, value in changes.items():
        setattr(session, name, value)
    tell(session.pk, "branch.shown")


def newest(head_id: UUID | None, *, formats: Sequence[str], count: int | None = None) -> list[Line]:
    """The newest `count` messages on the branch up to `head_id` that a framework sees, oldest first.

    `formats` are the raw formats that are its own.
    """
    if head_id is None or count == 0:
        return []
    return _walk("", "%s", [], [statements.key(head_id)], formats, count)


def newest_of(whose: owners.Whose, session_id: str, *, formats: Sequence[str], count: int | None = None) -> list[Line]:
    """The same of the owner's session of that name, in one query; nothing when there is no such session."""
    if count == 0:
        return []
    named, head, parameters, last = owners.head_of(whose, session_id)
    return _walk(f"{named}, ", head, parameters, last, formats, count)


def newest_upto(
    whose: owners.Whose, message_id: UUID, *, formats: Sequence[str], count: int | None = None
) -> list[Line]:
    """The same up to a message of the owner's, in whichever session; nothing when it isn't theirs or is deleted."""
    if count == 0:
        return []
    named, message, parameters, last = owners.message_of(whose, message_id)
    return _walk(f"{named}, ", message, parameters, last, formats, count)


def _walk(
    before: str, head: str, first: list[Any], start: list[Any], formats: Sequence[str], count: int | None
) -> list[Line]:
    visible = VISIBLE.format(formats=", ".join(["%s"] * len(formats)))
    own_columns = ", ".join(f"m.{column}" for column in COLUMNS.split(", "))
    query = UP.format(
        before=before, head=head, columns=COLUMNS, entry_id=ENTRY_ID, own_columns=own_columns, visible=visible
    )
    twice = [*formats, *formats]
    limit = EVERYTHING if count is None else count
    rows = statements.fetch(query, [*first, *twice, *start, *twice, limit])
    return [_line(row) for row in rows]


def _line(row: tuple[Any, ...]) -> Line:
    pk, parent_id, role, content, raw, raw_format, model, created_at, entry_id = row
    above = None if parent_id is None else statements.uuid(parent_id)
    made = statements.moment(created_at)
    return Line(statements.uuid(pk), above, role, content, raw, raw_format, model, made, entry_id)


def take_back(session: ChatSession, message: Line, *, own: bool) -> None:
    """Let `message` and what follows it leave the (locked) session's shown branch.

    It is deleted when it is the framework's `own` and nothing hangs on it; otherwise it stays as another branch.
    """
    show(session, message.parent_id)
    if own and not Message.objects.filter(parent_id=message.id).exists():
        Message.objects.filter(pk=message.id).delete()


def clear(session: ChatSession) -> None:
    """Empty the (locked) session: all of its messages are removed, as the site removes messages."""
    branches.refuse_while_running(session)
    Message.objects.filter(session_id=session.pk, deleted_at__isnull=True).update(deleted_at=timezone.now())
    show(session, None)


def _chain(session: ChatSession, drafts: Sequence[Draft], parent_id: UUID | None, ordinal: int) -> list[Message]:
    now = timezone.now()
    chain: list[Message] = []
    for draft in drafts:
        ordinal += draft.role in SPOKEN
        message = Message(
            id=draft.id or uuid7(),
            session_id=session.pk,
            parent_id=parent_id,
            ordinal=ordinal,
            role=draft.role,
            content=storable(draft.content),
            raw=draft.raw,
            raw_format=draft.raw_format,
            reasoning=storable(draft.reasoning),
            tools_used=[storable(name) for name in draft.tools_used],
            metadata=draft.metadata,
            model=storable(draft.model)[:100],
            prompt_tokens=draft.prompt_tokens,
            completion_tokens=draft.completion_tokens,
            created_at=draft.created_at or now,
        )
        chain.append(message)
        parent_id = message.pk
    return chain


def _naming(session: ChatSession, title: str) -> dict[str, str]:
    return {"title": title, "title_source": "question"} if title and not session.title else {}


def title_of(messages: Sequence[Message]) -> str:
    """The first line of the first question, for a session without a name."""
    for message in messages:
        if message.role == "user" and message.content.strip():
            return str(message.content.strip().splitlines()[0])[:TITLE_LENGTH].strip()
    return ""
