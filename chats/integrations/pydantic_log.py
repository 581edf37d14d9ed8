"""PydanticAI's conversation log on this site's messages: an entry is a message, a record says where a history ends.

The revision that a record was saved with holds as long as the session's head is the one of then. Once somebody else
went on, on the site or through another framework, the head itself is the revision.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pydantic
from django.db import transaction
from pydantic_ai.conversation_store import ConversationConflict, ConversationEntry, ConversationRecord

from chats.integrations.bridge import Who, whose
from chats.integrations.pydantic_messages import FORMAT, draft, load
from chats.models import AgentEntry, AgentState, ChatSession, Message
from chats.querysets import ChatSessionQuerySet
from chats.services import agent_states, owners, sessions, transcripts
from chats.services.agent_states import Found
from chats.services.owners import Whose
from chats.services.transcripts import Line
from core import statements
from core.ids import parse_uuid, uuid7

_RECORD: pydantic.TypeAdapter[ConversationRecord] = pydantic.TypeAdapter(ConversationRecord)
_COLUMNS = {"conversation_id", "head_id", "scope", "revision", "updated_at"}
_VERSION_7 = 7


def read_record(user: Who, conversation_id: str) -> ConversationRecord | None:
    found = agent_states.find(whose(user), conversation_id, FORMAT)
    return None if found is None else _record(found, conversation_id)


def read_conversation(
    user: Who, conversation_id: str, limit: int | None
) -> tuple[ConversationRecord, list[ConversationEntry]] | None:
    """The record and the newest `limit` entries that lead to its head, oldest first."""
    found = agent_states.find(whose(user), conversation_id, FORMAT)
    if found is None:
        return None
    return _record(found, conversation_id), _entries(found.session.head_id, limit)


def read_records(user: Who, scope: str | None, limit: int | None) -> list[ConversationRecord]:
    """The owner's conversations, the last saved first, in a constant number of queries."""
    theirs = agent_states.columns(_theirs(whose(user)), FORMAT)
    if scope is not None:
        theirs = theirs.filter(kept__scope=scope)
    rows = theirs.order_by("-last_activity_at", "-id")[:limit]
    listed = [agent_states.found_in(row) for row in rows]
    return [_record(found, found.session.external_id or str(found.session.pk)) for found in listed]


@transaction.atomic
def write_record(
    user: Who, record: ConversationRecord, new_entries: Sequence[ConversationEntry], expected_revision: str | None
) -> None:
    name = record.conversation_id
    found, created = agent_states.lock_or_create(whose(user), name, FORMAT)
    if found.is_answering or (None if created else _revision(found)) != expected_revision:
        raise ConversationConflict(name)
    added: list[Message] = []
    with statements.together():
        head_id = _write_entries(found, whose(user), record, new_entries, added)
        transcripts.show(found.session, head_id, title=transcripts.title_of(added), moment=record.updated_at)
        values = {
            "scope": record.scope,
            "revision": record.revision,
            "head": head_id,
            "data": _RECORD.dump_json(record, exclude=_COLUMNS).decode(),
            "saved_at": record.updated_at,
        }
        if found.state is None:
            AgentState.objects.create(session=found.session, framework=FORMAT, **values)
        else:
            statements.put(AgentState, "id = %s", [found.state.pk], **values)


@transaction.atomic
def delete_record(user: Who, conversation_id: str, expected_revision: str) -> None:
    found = agent_states.lock(whose(user), conversation_id, FORMAT)
    if found is None or _revision(found) != expected_revision:
        raise ConversationConflict(conversation_id)
    sessions.erase([found.session.pk])


def read_history(user: Who, head_id: str, limit: int | None) -> list[ConversationEntry]:
    """The entries up to `head_id`, oldest first, in one query. Raises KeyError when the owner has no such entry."""
    if limit == 0:
        return []
    uuid = parse_uuid(head_id)
    rows: list[Line] = []
    if uuid is not None and str(uuid) == head_id:
        rows = transcripts.newest_upto(whose(user), uuid, formats=[FORMAT], count=_count(limit))
    if rows:
        return _read(rows, limit)
    named = _message(_theirs(whose(user)), head_id)
    if named is None:
        raise KeyError(head_id)
    return _entries(named, limit)


def _entries(head_id: UUID | None, limit: int | None) -> list[ConversationEntry]:
    """The same up to a message that is known to be the owner's."""
    if limit == 0:
        return []
    return _read(transcripts.newest(head_id, formats=[FORMAT], count=_count(limit)), limit)


def _count(limit: int | None) -> int | None:
    """One more than asked for: an entry names the one before it."""
    return None if limit is None else limit + 1


def _read(rows: Sequence[Line], limit: int | None) -> list[ConversationEntry]:
    entries: list[ConversationEntry] = []
    parent_id: str | None = None
    for row, content in zip(rows, load(rows), strict=True):
        entry = ConversationEntry(id=_entry_id(row), parent_id=parent_id, message=content)
        parent_id = entry.id
        entries.append(entry)
    return entries if limit is None else entries[-limit:]


def _write_entries(
    found: Found,
    owner: Whose,
    record: ConversationRecord,
    new_entries: Sequence[ConversationEntry],
    added: list[Message],
) -> UUID | None:
    """Store the new entries, put into `added`. Returns the message that the record's history ends with."""
    session = found.session
    places: dict[str, UUID] = {}
    shown = _head_name(found)
    if shown is not None and session.head_id is not None:
        # What stands behind the newest entry and is nobody's turn stays before what comes now.
        places[shown] = session.head_id
    drafts = [draft(entry.message) for entry in new_entries]
    start = 0
    while start < len(new_entries):
        end = start + 1
        while end < len(new_entries) and new_entries[end].parent_id == new_entries[end - 1].id:
            end += 1
        parent_id = _place(session, owner, record, new_entries[start].parent_id, places)
        names = [entry.id for entry in new_entries[start:end]]
        chain = _chain(names, drafts[start:end], parent_id)
        known = found.head is not None and found.head.id == parent_id
        ordinal = found.head.ordinal if found.head is not None and known else None
        added += transcripts.add(session, list(chain.values()), parent_id, ordinal=ordinal)
        _name({name: stored.id for name, stored in chain.items() if stored.id})
        places |= {name: stored.id for name, stored in chain.items() if stored.id}
        start = end
    return _place(session, owner, record, record.head_id, places)


def _chain(names: list[str], drafts: list[transcripts.Draft], parent_id: UUID | None) -> dict[str, transcripts.Draft]:
    """Drafts of a chain of entries below `parent_id`, under their own names where those can be ids here."""
    ids: dict[str, UUID] = {}
    before = parent_id
    for name in names:
        uuid = parse_uuid(name)
        # Ids grow along a branch, wherever they come from.
        fits = uuid is not None and uuid.version == _VERSION_7 and str(uuid) == name and (not before or uuid > before)
        ids[name] = before = uuid if uuid is not None and fits else uuid7()
    taken = transcripts.existing(ids.values())
    ids = {name: uuid7() if uuid in taken else uuid for name, uuid in ids.items()}
    return {name: replace(draft, id=uuid) for draft, (name, uuid) in zip(drafts, ids.items(), strict=True)}


def _place(
    session: ChatSession,
    owner: Whose,
    record: ConversationRecord,
    name: str | None,
    places: dict[str, UUID],
) -> UUID | None:
    """The session's message of that name. A name in another conversation is copied here with all before it: a fork.

    Raises ConversationConflict when there is none.
    """
    if name is None:
        return None
    if name not in places:
        here = _message(ChatSession.objects.filter(pk=session.pk), name)
        places[name] = here if here is not None else _copy(session, owner, record, name)
    return places[name]


def _copy(session: ChatSession, owner: Whose, record: ConversationRecord, name: str) -> UUID:
    source = _message(_theirs(owner), name)
    if source is None:
        raise ConversationConflict(record.conversation_id)
    copies = transcripts.copy_branch(session, Message.objects.only("session_id").get(pk=source))
    named = AgentEntry.objects.filter(message_id__in=list(copies))
    known = dict(named.values_list("message_id", "entry_id"))
    _name({known.get(original, str(original)): copy for original, copy in copies.items()})
    return copies[source]


def _name(ids: dict[str, UUID]) -> None:
    """Remember the names that are not the messages' own ids."""
    named = [AgentEntry(message_id=uuid, entry_id=name) for name, uuid in ids.items() if name != str(uuid)]
    if named:
        AgentEntry.objects.bulk_create(named, batch_size=500)


def _message(sessions: ChatSessionQuerySet, name: str) -> UUID | None:
    """The id of the message of that name in these sessions: the name is its own id or one given to it."""
    messages = Message.objects.filter(deleted_at__isnull=True, session__in=sessions.values("pk")).order_by("id")
    uuid = parse_uuid(name)
    found: UUID | None = None
    if uuid is not None and str(uuid) == name:
        found = messages.filter(pk=uuid).values_list("pk", flat=True).first()
    return found or messages.filter(agent_entry__entry_id=name).values_list("pk", flat=True).first()


def _theirs(whose: Whose) -> ChatSessionQuerySet:
    owner = owners.owner_of(whose)
    sessions = ChatSession.objects.for_user(owner.user).present()
    return sessions.filter(external_user_id=owner.external_user_id)


def _revision(found: Found) -> str:
    head_id = found.session.head_id
    if found.state is not None and found.state.head == head_id:
        return str(found.state.revision)
    running = found.head is not None and found.head.is_running
    return f"{found.session.pk}:{head_id}{':running' if running else ''}"


def _record(found: Found, conversation_id: str) -> ConversationRecord:
    state = found.state
    values = {
        **(json.loads(state.data) if state else {}),
        "conversation_id": conversation_id,
        "head_id": _head_name(found),
        "scope": state.scope if state else None,
        "revision": _revision(found),
        "updated_at": found.session.last_activity_at,
    }
    return _RECORD.validate_python(values)


def _head_name(found: Found) -> str | None:
    """The name of the newest entry: the head's, unless that is neither PydanticAI's own nor a finished turn."""
    head = found.head
    if head is None:
        return None
    turn = head.role in transcripts.SPOKEN and head.has_text and not head.is_running
    if head.raw_format == FORMAT or turn:
        return head.entry_id or str(head.id)
    rows = transcripts.newest(head.id, formats=[FORMAT], count=1)
    return _entry_id(rows[0]) if rows else None


def _entry_id(row: Line) -> str:
    return row.entry_id or str(row.id)
