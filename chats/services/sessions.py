"""Conversations: making, finding, changing, deleting them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from chats.models import ChatSession, Message
from chats.querysets import Person
from chats.services import erasure
from chats.services.news import tell
from chats.services.stopping import request_stop
from core.errors import Conflict, Invalid, NotFound
from core.ids import checked_client_id, parse_uuid
from core.statements import Compiled, Prepared, fetch_each
from core.text import is_storable
from courses.models import Course

TITLE_LENGTH = 200


def listed(sessions: "QuerySet[ChatSession]") -> "QuerySet[ChatSession]":
    """The same sessions with what their representation needs, in one query."""
    running = Message.objects.running().filter(session_id=OuterRef("pk"))
    # Of the head only its place: its text may be long.
    unread = [f"head__{field.name}" for field in Message._meta.concrete_fields if field.name not in ("id", "ordinal")]
    heads = sessions.select_related("head").defer(*unread)
    return heads.annotate(running_reply_id=Subquery(running.values("pk")[:1]))


def visible(*, user: Person, state: str = "present") -> "QuerySet[ChatSession]":
    """The user's sessions in `state`: active, archived, deleted, present (active or archived) or all."""
    sessions = ChatSession.objects.for_user(user)
    if state == "active":
        return sessions.active()
    if state == "archived":
        return sessions.present().filter(archived_at__isnull=False)
    if state == "deleted":
        return sessions.filter(deleted_at__isnull=False)
    if state == "present":
        return sessions.present()
    if state == "all":
        return sessions
    raise Invalid(errors={"state": ["Must be active, archived, deleted or all."]})


def find(*, user: Person, session_id: object, state: str = "present") -> ChatSession:
    """The user's session of that id or of that external id of theirs. Raises NotFound."""
    if state == "present" and (found := PRESENT.first(user.pk, parse_uuid(session_id))):
        return found
    return _pick(listed(visible(user=user, state=state)), session_id)


def lock(*, user: Person, session_id: object, state: str = "present") -> ChatSession:
    """The same, its row locked until the transaction ends: whoever adds to a conversation holds this lock."""
    if state == "present" and (found := LOCKED.first(user.pk, parse_uuid(session_id))):
        return found
    return _pick(_to_lock(visible(user=user, state=state)), session_id)


def lock_and_ask(
    *, user: Person, session_id: object, questions: Callable[[UUID], Sequence[Compiled]]
) -> tuple[ChatSession, list[list[tuple[Any, ...]]]]:
    """`lock`, and the answers to questions about the session as it stands then, in no more time."""
    if uuid := parse_uuid(session_id):
        found, *answers = fetch_each(LOCKED.query(user.pk, uuid), *questions(uuid))
        if found:
            return LOCKED.read(found)[0], answers
    session = lock(user=user, session_id=session_id)
    return session, fetch_each(*questions(session.pk))


def _to_lock(sessions: "QuerySet[ChatSession]") -> "QuerySet[ChatSession]":
    return sessions.select_related("course").select_for_update(of=("self",))


def _by_id(user_id: int, session_id: UUID) -> "QuerySet[ChatSession]":
    return visible(user=User(pk=user_id)).filter(pk=session_id).order_by()


# With every page, socket and turn.
PRESENT = Prepared(lambda user_id, session_id: listed(_by_id(user_id, session_id)), int, UUID)
LOCKED = Prepared(lambda user_id, session_id: _to_lock(_by_id(user_id, session_id)), int, UUID)


def _pick(sessions: "QuerySet[ChatSession]", session_id: object) -> ChatSession:
    uuid = parse_uuid(session_id)
    found: ChatSession | None = sessions.filter(pk=uuid).first() if uuid else None
    if found is None and is_storable(str(session_id)):
        found = sessions.filter(external_user_id="", external_id=str(session_id)).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def create(
    *,
    user: Person,
    course_id: object = None,
    client_id: str | None = None,
    external_id: str | None = None,
    title: str = "",
    description: str = "",
    context_data: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> tuple[ChatSession, bool]:
    """A new session and True, or the one that an earlier try with this `client_id` made and False.

    Raises NotFound for a course that isn't the user's, Conflict for an external id that is taken.
    """
    client_id = checked_client_id(client_id)
    if client_id and (earlier := listed(visible(user=user, state="all")).filter(client_id=client_id).first()):
        return earlier, False
    session = ChatSession(
        user_id=user.pk,  # type: ignore[misc]  # anonymous visitors are turned away before
        course=None if course_id is None else course_of(user=user, course_id=course_id),
        client_id=client_id,
        external_id=external_id or None,
        title=title.strip()[:TITLE_LENGTH],
        title_source="user" if title.strip() else "",
        description=description,
        context_data=dict(context_data or {}),
        metadata=dict(metadata or {}),
    )
    try:
        with transaction.atomic():
            session.save(force_insert=True)
    except IntegrityError:
        # Another request was faster: with the same client id it is the same session, else the external id is taken.
        if client_id and (earlier := listed(visible(user=user, state="all")).filter(client_id=client_id).first()):
            return earlier, False
        raise Conflict("There is a session with this external id already.") from None
    tell(session.pk, "session.updated")
    return session, True


def course_of(*, user: Person, course_id: object) -> Course:
    uuid = parse_uuid(course_id)
    course: Course | None = Course.objects.for_user(user).filter(pk=uuid).first() if uuid else None
    if course is None:
        raise NotFound("There is no such course, or you are not enrolled in it.")
    return course


def version(session: ChatSession) -> str:
    """What changes whenever somebody changes the session's own fields (not when messages come)."""
    return session.updated_at.strftime("%Y%m%dT%H%M%S%f")


@transaction.atomic
def update(
    *,
    user: Person,
    session_id: object,
    expected_version: str | None = None,
    title: str | None = None,
    description: str | None = None,
    context_data: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    pinned: bool | None = None,
    archived: bool | None = None,
) -> ChatSession:
    """Change what is given. Raises Conflict when `expected_version` is not the present one."""
    session = lock(user=user, session_id=session_id)
    if expected_version is not None and expected_version != version(session):
        raise Conflict("This session was changed elsewhere. Load it again.")
    if title is not None:
        session.title, session.title_source = title.strip()[:TITLE_LENGTH], "user"
    if description is not None:
        session.description = description
    if context_data is not None:
        session.context_data = dict(context_data)
    if metadata is not None:
        session.metadata = dict(metadata)
    now = timezone.now()
    if pinned is not None:
        session.pinned_at = (session.pinned_at or now) if pinned else None
    if archived is not None:
        session.archived_at = (session.archived_at or now) if archived else None
    session.save()
    tell(session.pk, "session.updated")
    return find(user=user, session_id=session.pk)


@transaction.atomic
def delete(*, user: Person, session_id: object, permanent: bool = False) -> None:
    """Put the session away, or with `permanent` remove it and all that hangs on it. Stops a running reply."""
    session = lock(user=user, session_id=session_id, state="all" if permanent else "present")
    for reply in Message.objects.running().filter(session=session):
        request_stop(reply)
    if permanent:
        erase([session.pk])
    else:
        session.deleted_at = timezone.now()
        session.save(update_fields=["deleted_at", "updated_at"])
    tell(session.pk, "session.updated")


@transaction.atomic
def restore(*, user: Person, session_id: object) -> ChatSession:
    session = lock(user=user, session_id=session_id, state="all")
    if session.deleted_at is not None:
        session.deleted_at = None
        session.save(update_fields=["deleted_at", "updated_at"])
        tell(session.pk, "session.updated")
    return find(user=user, session_id=session.pk)


def erase(session_ids: list[UUID]) -> dict[str, int]:
    """Remove sessions for good with all their rows, however many. Returns the counts. Call it in a transaction."""
    return erasure.erase_sessions(session_ids)
