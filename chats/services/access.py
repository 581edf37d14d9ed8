"""Who may still be where: what news about a person's access says, and how open conversations stand."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from chats.models import ChatSession
from chats.querysets import Person
from chats.services import sessions
from courses.models import Enrollment


@dataclass(frozen=True)
class Standing:
    """What changes when something happens in a conversation."""

    head_id: UUID | None
    running_reply_id: UUID | None
    updated_at: datetime
    password: str  # its owner's, as it is stored: with another one every earlier sign-in is void


@dataclass(frozen=True)
class Standings:
    """The conversations that their owners may read now, and the sign-ins that are valid."""

    sessions: dict[UUID, Standing]
    signed_in: set[str]


def session_digest(session_key: str | None) -> str:
    """How news names a sign-in without giving away its key."""
    return hashlib.sha256((session_key or "").encode()).hexdigest()


def standing(session: ChatSession, user: Person) -> Standing:
    """How a session stands that `sessions.find` found for its owner."""
    return Standing(
        session.head_id, getattr(session, "running_reply_id", None), session.updated_at, getattr(user, "password", "")
    )


def standings(*, session_ids: Collection[UUID], session_keys: Collection[str]) -> Standings:
    """How these conversations stand and which of these sign-ins are valid, in two queries."""
    enrolled = Enrollment.objects.filter(course_id=OuterRef("course_id"), user_id=OuterRef("user_id"))
    readable = ChatSession.objects.present().filter(
        Q(course__isnull=True) | Exists(enrolled), pk__in=session_ids, user__is_active=True
    )
    # As values: this runs every few seconds for all open pages, and making models of them would be most of its cost.
    rows = sessions.listed(readable).values_list(
        "pk",
        "head_id",
        "running_reply_id",  # type: ignore[misc]  # annotated by `listed`
        "updated_at",
        "user__password",
    )
    found = {session_id: Standing(*stands) for session_id, *stands in rows}
    valid = Session.objects.filter(session_key__in=session_keys, expire_date__gt=timezone.now())
    return Standings(found, set(valid.values_list("session_key", flat=True)))
