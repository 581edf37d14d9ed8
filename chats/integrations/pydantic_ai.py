"""PydanticAI: its message histories and its conversation store in conversations on this site.

    history = await load_messages(session_id)
    result = await agent.run("What is bias?", message_history=history)
    await save_messages(session_id, result.new_messages())

or whole conversations, which carry usage, paused tool calls and a revision besides their messages:

    store = DjangoConversationStore(user=user)
    conversation = await store.load("any id") or Conversation(conversation_id="any id")
    await store.save(await agent.run("What is bias?", conversation=conversation))
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from chats.integrations.bridge import INSTALL, Who, arun, run, settled, whose
from chats.models import ChatSession
from chats.services import owners, sessions, transcripts
from chats.services.owners import Holder, Whose
from core.errors import Invalid
from core.ids import parse_uuid
from courses.models import Course

try:
    from pydantic_ai import AgentRunResult, Conversation
    from pydantic_ai.conversation_store import ConversationEntry, ConversationRecord, ConversationStore
    from pydantic_ai.messages import ModelMessage
except ImportError as missing:
    raise ImportError(f"DjangoConversationStore needs the package pydantic-ai-slim: {INSTALL}") from missing

from chats.integrations import pydantic_log
from chats.integrations.pydantic_messages import FORMAT, draft, dump, load

# Of how many conversations a store knows the record that it read or wrote last.
REMEMBERED = 100


async def create_session(
    *, user: Who, course: Course | UUID | str | None = None, external_id: str | None = None
) -> str:
    """Make a session and return its id. Raises NotFound for a course that isn't the user's, Conflict for a taken id."""
    return await settled(_create, user, course, external_id)


def create_session_sync(*, user: Who, course: Course | UUID | str | None = None, external_id: str | None = None) -> str:
    """The same for sync code."""
    return run(_create, user, course, external_id)


async def load_messages(session_id: str, *, user: Who = None, limit: int | None = None) -> list[ModelMessage]:
    """The session's shown branch (its newest `limit` messages), oldest first; nothing for a session that isn't there.

    `session_id` alone reaches any session by its own id, so pass `user` when the id comes from somebody else.
    """
    return await arun(_load, session_id, user, limit)


def load_messages_sync(session_id: str, *, user: Who = None, limit: int | None = None) -> list[ModelMessage]:
    """The same for sync code."""
    return run(_load, session_id, user, limit)


async def save_messages(session_id: str, messages: Sequence[ModelMessage], *, user: Who = None) -> None:
    """Append `messages`, all or none. Raises ReplyRunning while the tutor answers there.

    When they begin with the whole stored history only the rest is appended, so a run's `all_messages()` and its
    `new_messages()` are both right.
    """
    await settled(_save, session_id, list(messages), user)


def save_messages_sync(session_id: str, messages: Sequence[ModelMessage], *, user: Who = None) -> None:
    """The same for sync code."""
    run(_save, session_id, list(messages), user)


class DjangoConversationStore(ConversationStore):
    """PydanticAI's conversations among those of `user`; without one, those of programs that name no user.

    A conversation's id is the id of one of the user's sessions or any name of your own, kept as its external id.
    Conversations begun on the site are there too, without a scope. What the site or another program adds changes the
    revision, so a save from before it is refused with `ConversationConflict`, as is one while the tutor answers.
    A fork copies the messages up to where it leaves. Deleting a conversation erases its messages; forks keep theirs.
    """

    def __init__(self, *, user: Who = None) -> None:
        self.user = user
        self._last_read: OrderedDict[str, ConversationRecord] = OrderedDict()

    async def load(
        self, conversation_id: str, *, limit: int | None = None, scope: str | None = None
    ) -> Conversation | None:
        """`ConversationStore.load`, which asks for the record and for its history, in one go."""
        if type(self) is not DjangoConversationStore:  # a subclass may read otherwise
            return await super().load(conversation_id, limit=limit, scope=scope)
        read = await arun(pydantic_log.read_conversation, self.user, conversation_id, limit)
        record, history = (None, []) if read is None else read
        self._remember(record)
        return await _ReadAhead(self, record, history).load(conversation_id, limit=limit, scope=scope)

    async def save(
        self, conversation: Conversation | AgentRunResult[Any], *, scope: str | None = None
    ) -> list[ConversationEntry]:
        """`ConversationStore.save`, without reading again the record that was read or written here last.

        It is the same as long as its revision is, and that is compared once more where it counts: as it is written.
        """
        given = conversation.conversation if isinstance(conversation, AgentRunResult) else conversation
        record = self._last_read.get(given.conversation_id)
        if record is None or record.revision != given.revision:
            return await super().save(conversation, scope=scope)
        return await _ReadAhead(self, record).save(conversation, scope=scope)

    def _remember(self, record: ConversationRecord | None) -> None:
        if record is None:
            return
        self._last_read[record.conversation_id] = record
        self._last_read.move_to_end(record.conversation_id)
        if len(self._last_read) > REMEMBERED:
            self._last_read.popitem(last=False)

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        return await arun(pydantic_log.read_record, self.user, conversation_id)

    async def read_records(self, *, scope: str | None = None, limit: int | None = None) -> Sequence[ConversationRecord]:
        return await arun(pydantic_log.read_records, self.user, scope, limit)

    async def write_record(
        self,
        record: ConversationRecord,
        *,
        new_entries: Sequence[ConversationEntry] = (),
        expected_revision: str | None,
    ) -> None:
        await settled(pydantic_log.write_record, self.user, record, list(new_entries), expected_revision)
        if type(self) is DjangoConversationStore:
            self._remember(record)

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        await settled(pydantic_log.delete_record, self.user, conversation_id, expected_revision)

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        return (await arun(pydantic_log.read_history, self.user, entry_id, 1))[-1]

    async def read_history(self, head_id: str | None, *, limit: int | None = None) -> list[ConversationEntry]:
        """The entries up to `head_id` (the newest `limit` of them), in one walk however many there are."""
        return [] if head_id is None else await arun(pydantic_log.read_history, self.user, head_id, limit)


class _ReadAhead(ConversationStore):
    """A store for one call, which finds the record that it asks for read already, and the history if there is one."""

    def __init__(
        self,
        store: DjangoConversationStore,
        record: ConversationRecord | None,
        history: list[ConversationEntry] | None = None,
    ) -> None:
        self._store, self._record, self._history = store, record, history

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        return self._record

    async def read_history(self, head_id: str | None, *, limit: int | None = None) -> list[ConversationEntry]:
        return await self._store.read_history(head_id, limit=limit) if self._history is None else self._history

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        return await self._store.read_entry(entry_id)

    async def read_records(self, *, scope: str | None = None, limit: int | None = None) -> Sequence[ConversationRecord]:
        return await self._store.read_records(scope=scope, limit=limit)

    async def write_record(
        self,
        record: ConversationRecord,
        *,
        new_entries: Sequence[ConversationEntry] = (),
        expected_revision: str | None,
    ) -> None:
        await self._store.write_record(record, new_entries=new_entries, expected_revision=expected_revision)

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        await self._store.delete_record(conversation_id, expected_revision=expected_revision)


@transaction.atomic
def _create(user: Who, course: Course | UUID | str | None, external_id: str | None) -> str:
    owner = owners.owner_of(whose(user))
    if owner.external_user_id:
        if course is not None:
            raise Invalid("Only somebody with an account can be in a course.")
        return str(owners.create(owner, external_id).pk)
    course_id = course.pk if isinstance(course, Course) else course
    session, _ = sessions.create(user=owner.user, course_id=course_id, external_id=external_id)
    return str(session.pk)


def _owner(session_id: str, user: Who) -> Whose:
    """Whose session is meant: the given user's; else whoever owns the session of that very id."""
    uuid = parse_uuid(session_id) if user is None else None
    return whose(user) if uuid is None else Holder(uuid)


def _load(session_id: str, user: Who, limit: int | None) -> list[ModelMessage]:
    return load(transcripts.newest_of(_owner(session_id, user), session_id, formats=[FORMAT], count=limit))


@transaction.atomic
def _save(session_id: str, messages: list[ModelMessage], user: Who) -> None:
    if not messages:
        return
    session, _ = owners.lock_or_create(_owner(session_id, user), session_id)
    transcripts.append(session, [draft(message) for message in messages[_stored(session, messages) :]])


def _stored(session: ChatSession, messages: list[ModelMessage]) -> int:
    """How many of the first messages are the whole stored history: none, unless they begin with all of it."""
    stored = transcripts.newest(session.head_id, formats=[FORMAT], count=len(messages) + 1)
    if len(stored) > len(messages):
        return 0
    for row, message in zip(stored, messages, strict=False):
        text = dump(message)
        if text != row.raw and text != dump(load([row])[0]):
            return 0
    return len(stored)
