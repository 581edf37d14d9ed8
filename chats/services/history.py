"""Reading a conversation: the shown branch, the newest first to be fetched, in a constant number of queries."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from chats.models import ChatSession, Citation, Message, ReplyChunk
from chats.services import branches
from core import statements
from core.statements import Prepared

SPOKEN = ("user", "assistant")
ONE = Prepared(
    lambda message_id: Message.objects.filter(pk=message_id).defer("raw").select_related("feedback").order_by(), UUID
)
SOURCES = Prepared(lambda message_id: Citation.objects.filter(message_id=message_id).order_by("marker"), UUID)
VERSIONS = "SELECT id FROM chats_message WHERE role = %s AND deleted_at IS NULL"
FIRST, NEXT = "AND session_id = %s AND parent_id IS NULL ORDER BY id", "AND parent_id = %s ORDER BY id"


@dataclass(frozen=True)
class HistoryPage:
    """Messages of one branch, oldest first; `has_more` says whether older ones exist."""

    messages: list[Message]
    has_more: bool


def page(
    *,
    session: ChatSession,
    limit: int = 200,
    before: object = None,
    upto: object = None,
    roles: Sequence[str] = SPOKEN,
) -> HistoryPage:
    """The newest `limit` messages of the shown branch, those before the message `before`, or those up to `upto`.

    Raises NotFound for a message that isn't the session's.
    """
    start = session.head_id
    if upto is not None:
        start = branches.message_of(session, upto).pk
    elif before is not None:
        start = branches.message_of(session, before).parent_id
    if start is None:
        return HistoryPage([], has_more=False)
    ids = branches.ids_up_from(start=start, session_id=session.pk, count=limit + 1, roles=roles)
    rows = Message.objects.filter(pk__in=ids, role__in=roles, deleted_at__isnull=True).defer("raw")
    found = {message.pk: message for message in rows.select_related("feedback").prefetch_related("citations")}
    newest_first = [found[message_id] for message_id in ids if message_id in found]
    messages = newest_first[:limit][::-1]
    attach(messages)
    return HistoryPage(messages, has_more=len(newest_first) > limit)


def message(message_id: UUID) -> Message:
    """One message with all that its representation needs. The caller has seen to it that it may be read."""
    found = ONE.first(message_id)
    if found is None:
        raise Message.DoesNotExist
    return _with(found, SOURCES.rows(message_id))


def question(message: Message) -> Message:
    """A question just asked, which is at hand, with all that its representation needs: no sources and no rating yet."""
    Message.feedback.related.set_cached_value(message, None)
    return _with(message, [])


def _with(message: Message, sources: list[Citation]) -> Message:
    kept = message.citations.all()
    # As a prefetch does, for one message.
    kept._result_cache = sources  # noqa: SLF001
    message._prefetched_objects_cache = {"citations": kept}  # type: ignore[attr-defined]  # noqa: SLF001
    attach([message])
    return message


def attach(messages: Sequence[Message]) -> None:
    """Give each message its `sibling_ids` (versions of it, oldest first) and a running reply its text so far."""
    if not messages:
        return
    _attach_siblings(messages)
    for running in (message for message in messages if message.is_running):
        running.content, running.reasoning = text_so_far(running)


def _attach_siblings(messages: Sequence[Message]) -> None:
    if len(messages) == 1:
        [only] = messages
        above, below = (FIRST, only.session_id) if only.parent_id is None else (NEXT, only.parent_id)
        rows = statements.fetch(f"{VERSIONS} {above}", [only.role, statements.key(below)])
        only.sibling_ids = [statements.uuid(found) for (found,) in rows]  # type: ignore[attr-defined]
        return
    parents = {message.parent_id for message in messages if message.parent_id}
    siblings = Q(parent_id__in=parents)
    if any(message.parent_id is None for message in messages):
        siblings |= Q(parent_id__isnull=True, session_id=messages[0].session_id)
    versions: defaultdict[tuple[UUID | None, str], list[UUID]] = defaultdict(list)
    there = Message.objects.filter(siblings, deleted_at__isnull=True).order_by("id")
    for message_id, parent_id, role in there.values_list("id", "parent_id", "role"):
        versions[parent_id, role].append(message_id)
    for message in messages:
        message.sibling_ids = versions[message.parent_id, message.role]  # type: ignore[attr-defined]


def text_so_far(reply: Message, *, text_from: int = 0, reasoning_from: int = 0) -> tuple[str, str]:
    """What the journal holds of the reply's present attempt beyond these offsets: (text, reasoning)."""
    rows = ReplyChunk.objects.filter(reply_id=reply.pk, attempt=reply.attempt).filter(
        Q(kind="text", offset__gte=text_from) | Q(kind="reasoning", offset__gte=reasoning_from)
    )
    return _joined(rows.order_by("offset"))


def text_shown(reply: Message) -> tuple[str, str]:
    """What was last to be seen of a reply that is not being made: the text of its last attempt that had any."""
    rows = list(ReplyChunk.objects.filter(reply_id=reply.pk).order_by("offset"))
    last = max((row.attempt for row in rows), default=0)
    return _joined(row for row in rows if row.attempt == last)


def _joined(chunks: Iterable[ReplyChunk]) -> tuple[str, str]:
    parts: dict[str, list[str]] = {"text": [], "reasoning": []}
    for chunk in chunks:
        parts[chunk.kind].append(chunk.text)
    return "".join(parts["text"]), "".join(parts["reasoning"])
