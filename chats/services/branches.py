"""Messages form a tree; a session shows one branch of it. Walking it costs what is read, not what there is."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from chats.exceptions import ReplyRunning
from chats.models import ChatSession, Message
from chats.querysets import Person
from chats.services import sessions
from chats.services.news import tell
from core import statements
from core.errors import NotFound
from core.ids import parse_uuid
from core.text import is_storable

# Whether a reply of a session is being made. With parameters for the states SQLite would not use the small index of
# such replies, but look at every message of the session.
ANSWERING = (
    "EXISTS (SELECT 1 FROM chats_message r WHERE r.session_id = {session} AND r.state IN ('queued', 'streaming'))"
)

END = "SELECT (SELECT ordinal FROM chats_message WHERE id = %s), " + ANSWERING.format(session="%s")  # noqa: S608 - constants

# The same at the end of the branch that the session shows.
SHOWN_END = (
    "SELECT (SELECT m.ordinal FROM chats_message m JOIN chats_chatsession s ON s.head_id = m.id WHERE s.id = %s), "  # noqa: S608 - constants
    + ANSWERING.format(session="%s")
)

UP = """
WITH RECURSIVE branch (id, parent_id, taken) AS (
    SELECT id, parent_id, CASE WHEN role IN ({roles}) THEN 1 ELSE 0 END
    FROM chats_message WHERE id = %s AND session_id = %s
    UNION ALL
    SELECT m.id, m.parent_id, b.taken + CASE WHEN m.role IN ({roles}) THEN 1 ELSE 0 END
    FROM branch b JOIN chats_message m ON m.id = b.parent_id
    WHERE b.taken < %s
)
SELECT id FROM branch
"""

DOWN = """
WITH RECURSIVE branch (id) AS (
    SELECT id FROM chats_message WHERE id = %s
    UNION ALL
    SELECT (
        SELECT m.id FROM chats_message m
        WHERE m.parent_id = b.id AND m.deleted_at IS NULL ORDER BY m.id DESC LIMIT 1
    )
    FROM branch b WHERE b.id IS NOT NULL
)
SELECT id FROM branch WHERE id IS NOT NULL
"""

SUBTREE = """
WITH RECURSIVE subtree (id) AS (
    SELECT id FROM chats_message WHERE id = %s
    UNION ALL
    SELECT m.id FROM chats_message m JOIN subtree s ON m.parent_id = s.id
)
SELECT id FROM subtree
"""


def ids_up_from(*, start: UUID, session_id: UUID, count: int, roles: Sequence[str]) -> list[UUID]:
    """Ids from `start` towards the root until `count` of `roles` were met, others between them included."""
    places = ", ".join(["%s"] * len(roles))
    return _ids(UP.format(roles=places), [*roles, _key(start), _key(session_id), *roles, count])


def newest_leaf(message_id: UUID) -> UUID:
    """Where one arrives from a message by always taking the newest version: the branch's end."""
    return max(_ids(DOWN, [_key(message_id)]))


def subtree(message_id: UUID) -> list[UUID]:
    """The message and all that follows it, on every branch."""
    return _ids(SUBTREE, [_key(message_id)])


def _key(value: UUID) -> str:
    # SQLite keeps a UUID as 32 hex digits, PostgreSQL reads those as well.
    return value.hex


def _ids(query: str, parameters: Sequence[str | int]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [row[0] if isinstance(row[0], UUID) else UUID(row[0]) for row in cursor.fetchall()]


def refuse_while_running(session: ChatSession) -> None:
    """Raise ReplyRunning while a reply of the (locked) session runs."""
    ordinal_at(session, None)


def ordinal_at(session: ChatSession, message_id: UUID | None) -> int:
    """How many messages stand up to this one of the (locked) session; none before its first.

    Raises ReplyRunning: who asks wants to add to the conversation.
    """
    after = None if message_id is None else statements.key(message_id)
    [(ordinal, running)] = statements.fetch(END, [after, statements.key(session.pk)])
    if running:
        raise ReplyRunning
    return ordinal or 0


def message_of(session: ChatSession, message_id: object) -> Message:
    """The session's message of that id or of that client id. Raises NotFound."""
    uuid = parse_uuid(message_id)
    there = Message.objects.filter(session=session, deleted_at__isnull=True)
    found: Message | None = there.filter(pk=uuid).first() if uuid else None
    if found is None and is_storable(str(message_id)):
        found = there.filter(client_id=str(message_id)).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def show(*, user: Person, session_id: object, message_id: object) -> ChatSession:
    """Show the branch that `message_id` is on, to its newest end."""
    session = sessions.lock(user=user, session_id=session_id)
    message = message_of(session, message_id)
    refuse_while_running(session)
    move_head(session, newest_leaf(message.pk))
    return sessions.find(user=user, session_id=session.pk)


@transaction.atomic
def remove(*, user: Person, message_id: object) -> None:
    """Remove a message and what follows it from view. Raises NotFound, or ReplyRunning while a reply runs."""
    message = own_message(user=user, message_id=message_id)
    session = sessions.lock(user=user, session_id=message.session_id)
    refuse_while_running(session)
    gone = subtree(message.pk)
    Message.objects.filter(pk__in=gone).update(deleted_at=timezone.now())
    if session.head_id in gone:
        move_head(session, message.parent_id)


def own_message(*, user: Person, message_id: object) -> Message:
    """A message of one's own conversations. Raises NotFound."""
    uuid = parse_uuid(message_id)
    message: Message | None = Message.objects.for_user(user).filter(pk=uuid).first() if uuid else None
    if message is None:
        raise NotFound
    return message


def move_head(session: ChatSession, head_id: UUID | None) -> None:
    """Show another branch end of the (locked) session, and tell its viewers."""
    ChatSession.objects.filter(pk=session.pk).update(head_id=head_id)
    session.head_id = head_id
    tell(session.pk, "branch.shown")
