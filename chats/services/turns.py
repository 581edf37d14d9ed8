"""A turn: a question and the reply it will get, committed together or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chats.exceptions import MessageTooLong, ReplyRunning
from chats.models import ChatSession, Message
from chats.querysets import Person
from chats.services import branches, quota, sessions
from chats.services.news import tell
from core import statements
from core.errors import Invalid, NotFound
from core.ids import checked_client_id, parse_uuid
from core.statements import Compiled
from core.text import storable
from courses.models import Document, Lecture

SPOKEN = ("user", "assistant")
KNOWN = "SELECT 1 FROM chats_message WHERE session_id = %s AND client_id = %s"


@dataclass(frozen=True)
class Turn:
    """A question with its reply. `created` is False when an earlier try with the same client id made it."""

    session: ChatSession
    user_message: Message
    reply: Message | None
    created: bool = True


@transaction.atomic
def ask(
    *,
    user: Person,
    session_id: object,
    text: str,
    client_id: str | None = None,
    document_id: object = None,
    lecture_id: object = None,
    model: str = "",
) -> Turn:
    """Commit a question and its queued reply. The same `client_id` again is the same turn, whatever the text.

    Raises NotFound, Invalid (empty text), MessageTooLong, ReplyRunning, QuotaExceeded.
    """
    text = _asked(text)
    client_id = checked_client_id(client_id)
    session, (known, [(ordinal, is_answering)]) = sessions.lock_and_ask(
        user=user, session_id=session_id, questions=partial(_standing, client_id)
    )
    if known and client_id:
        return _turn_of(session, client_id)
    if is_answering:
        raise ReplyRunning
    question = Message(
        session=session,
        parent_id=session.head_id,
        ordinal=(ordinal or 0) + 1,
        role="user",
        content=text,
        client_id=client_id,
        metadata=_focus(user, session, document_id, lecture_id),
    )
    return _begin(session, question, [question], model=model)


@transaction.atomic
def begin(*, user: Person, course_id: object, text: str, client_id: str | None = None) -> Turn:
    """Commit a session in a course with its first question: a question that is refused leaves no empty chat behind.

    The same `client_id` again is the same session and turn. Raises what `ask` does, and NotFound for such a course.
    """
    session, _ = sessions.create(user=user, course_id=course_id, client_id=client_id)
    return ask(user=user, session_id=session.pk, text=text, client_id=client_id)


@transaction.atomic
def regenerate(
    *, user: Person, session_id: object, message_id: object = None, client_id: str | None = None, model: str = ""
) -> Turn:
    """Answer a question anew, beside the answers it has. `message_id` is the answer or the question; default: the last.

    Raises NotFound, Invalid (nothing to answer), ReplyRunning, QuotaExceeded.
    """
    session = sessions.lock(user=user, session_id=session_id)
    client_id = checked_client_id(client_id)
    if client_id and (earlier := _earlier(session, client_id)):
        return earlier
    branches.refuse_while_running(session)
    start = message_id or session.head_id
    message = branches.message_of(session, start) if start else None
    while message is not None and message.role != "user":
        message = message.parent
    if message is None:
        raise Invalid("There is no question to answer yet.")
    return _begin(session, message, [], client_id=client_id, model=model)


@transaction.atomic
def edit(
    *, user: Person, message_id: object, text: str, client_id: str | None = None, reply: bool = True, model: str = ""
) -> Turn:
    """Ask a question in other words, beside the first version; answered anew unless `reply` is False.

    Raises NotFound, Invalid (not a question), MessageTooLong, ReplyRunning, QuotaExceeded.
    """
    text = _asked(text)
    original = branches.own_message(user=user, message_id=message_id)
    session = sessions.lock(user=user, session_id=original.session_id)
    client_id = checked_client_id(client_id)
    if client_id and (earlier := _earlier(session, client_id)):
        return earlier
    if original.role != "user":
        raise Invalid("Only a question can be edited.", errors={"message_id": ["This is not a question."]})
    branches.refuse_while_running(session)
    question = Message(
        session=session,
        parent_id=original.parent_id,
        ordinal=original.ordinal,
        role="user",
        content=text,
        client_id=client_id,
        metadata=original.metadata,
    )
    if reply:
        return _begin(session, question, [question], model=model)
    question.save(force_insert=True)
    _advance(session, question, "turn", question=question.pk)
    return Turn(session, question, None)


@transaction.atomic
def append(
    *, user: Person, session_id: object, messages: Sequence[Mapping[str, Any]], client_id: str | None = None
) -> tuple[ChatSession, list[Message]]:
    """Add messages at the end of the shown branch without asking a model. Same `client_id` again: nothing new.

    Each has role and content, and may have metadata, tools_used and model. Raises NotFound, Invalid, ReplyRunning.
    """
    session = sessions.lock(user=user, session_id=session_id)
    client_id = checked_client_id(client_id)
    if client_id and (last := Message.objects.filter(session=session, client_id=client_id).first()):
        ids = branches.ids_up_from(
            start=last.pk, session_id=session.pk, count=len(messages), roles=[*SPOKEN, "system", "tool"]
        )
        return session, list(Message.objects.filter(pk__in=ids).order_by("id"))
    branches.refuse_while_running(session)
    added = _chain(session, session.head_id, messages)
    if added:
        added[-1].client_id = client_id
        Message.objects.bulk_create(added)
        _advance(session, added[-1], "branch.shown")
    return session, added


@transaction.atomic
def replace(
    *, user: Person, session_id: object, messages: Sequence[Mapping[str, Any]]
) -> tuple[ChatSession, list[Message]]:
    """Show a new conversation made of `messages`; the one before stays as another branch."""
    session = sessions.lock(user=user, session_id=session_id)
    branches.refuse_while_running(session)
    added = Message.objects.bulk_create(_chain(session, None, messages))
    if added:
        _advance(session, added[-1], "branch.shown")
    else:
        branches.move_head(session, None)
    return session, added


def _begin(
    session: ChatSession, question: Message, new: list[Message], *, client_id: str | None = None, model: str = ""
) -> Turn:
    """Write what is new with a queued reply to `question`, hold its tokens, show it, tell the viewers."""
    reply = Message(
        session=session,
        parent_id=question.pk,
        ordinal=question.ordinal + 1,
        role="assistant",
        state="queued",
        client_id=client_id,
        model=model,
        reserved_tokens=quota.reserve(user_id=session.user_id, course=session.course),
    )
    with statements.together(last=True):
        statements.insert([*new, reply])
        _advance(session, reply, "turn", question=question.pk, reply=reply.pk)
    return Turn(session, question, reply)


def _advance(session: ChatSession, head: Message, event: str, **fields: object) -> None:
    session.head, session.last_activity_at = head, timezone.now()
    shown = {"head": head.pk, "last_activity_at": session.last_activity_at}
    statements.put(ChatSession, "id = %s", [statements.key(session.pk)], **shown)
    tell(session.pk, event, **fields)


def _standing(client_id: str | None, session_id: UUID) -> list[Compiled]:
    """The questions whether this client id made a turn before, and what another turn would follow."""
    key = statements.key(session_id)
    return [(KNOWN, [key, client_id]), (branches.SHOWN_END, [key, key])]


def _earlier(session: ChatSession, client_id: str) -> Turn | None:
    """The turn that this client id made before, if it did."""
    known = statements.fetch(KNOWN, [statements.key(session.pk), client_id])
    return _turn_of(session, client_id) if known else None


def _turn_of(session: ChatSession, client_id: str) -> Turn:
    """The turn that this client id made: the id stands on its question, or on a regenerated reply."""
    message = Message.objects.select_related("parent").get(session=session, client_id=client_id)
    if message.role == "assistant" and message.parent is not None:
        return Turn(session, message.parent, message, created=False)
    reply = message.children.filter(role="assistant").order_by("id").first()
    return Turn(session, message, reply, created=False)


def _asked(text: str) -> str:
    text = storable(text)
    if not text.strip():
        raise Invalid("Write a question first.", errors={"content": ["This may not be blank."]})
    _fits(text)
    return text


def _fits(text: str) -> None:
    if len(text) > settings.MESSAGE_MAX_CHARS:
        limit = f"{settings.MESSAGE_MAX_CHARS:,}"
        raise MessageTooLong(
            f"This message has {len(text):,} characters; {limit} are allowed. Shorten it, or send it in parts.",
            errors={"content": [f"At most {limit} characters."]},
        )


def _ordinal_of(message_id: Any) -> int:
    if message_id is None:
        return 0
    return int(Message.objects.values_list("ordinal", flat=True).get(pk=message_id))


def _focus(user: Person, session: ChatSession, document_id: object, lecture_id: object) -> dict[str, Any]:
    """What the question is about: a document or lecture of the session's own course. Raises NotFound for any other."""
    focus = {}
    for name, value, model in (("document_id", document_id, Document), ("lecture_id", lecture_id, Lecture)):
        if value in (None, ""):
            continue
        uuid = parse_uuid(value)
        rows = model.objects.for_user(user)
        if uuid is None or not rows.filter(pk=uuid, course_id=session.course_id).exists():
            raise NotFound("There is no such document or lecture in this course.")
        focus[name] = str(uuid)
    return focus


def _chain(session: ChatSession, parent_id: Any, messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    ordinal = _ordinal_of(parent_id)
    chain: list[Message] = []
    for given in messages:
        ordinal += given["role"] in SPOKEN
        text = storable(given.get("content") or "")
        message = Message(
            session=session,
            parent_id=parent_id,
            ordinal=ordinal,
            role=given["role"],
            content=text,
            metadata=given.get("metadata") or {},
            tools_used=given.get("tools_used") or [],
            model=given.get("model") or "",
        )
        chain.append(message)
        parent_id = message.pk
    return chain
