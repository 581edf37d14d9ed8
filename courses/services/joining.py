"""Joining a course by a code that its instructors give out."""

import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from core.errors import Invalid, NotFound
from courses.models import Course, Enrollment, JoinLink
from courses.querysets import Person
from courses.services import enrolments

DAYS_MOST = 366


def make(*, user: Person, course_id: uuid.UUID | str, days: int) -> JoinLink:
    """A new code for the course that works for `days` days. Raises NotFound, Forbidden, Invalid."""
    course_key = _taught(user, course_id)
    if not 1 <= days <= DAYS_MOST:
        raise Invalid(errors={"days": [f"From 1 to {DAYS_MOST} days."]})
    expires_at = timezone.now() + timedelta(days=days)
    return JoinLink.objects.create(course_id=course_key, expires_at=expires_at, created_by_id=user.pk)


def close(*, user: Person, course_id: uuid.UUID | str, link_id: int) -> None:
    """Take a code back. Who joined by it stays. Raises NotFound, Forbidden."""
    if not JoinLink.objects.filter(course_id=_taught(user, course_id), pk=link_id).update(is_open=False):
        raise NotFound


def open_links(*, course: Course) -> "QuerySet[JoinLink]":
    return _working().filter(course=course).order_by("-created_at")


def course_of(*, code: str) -> Course:
    """The course that the code leads to. Raises NotFound: a code that ended is as good as none."""
    link = _working().select_related("course").filter(code=code.strip().upper().replace("\0", "")).first()
    if link is None:
        raise NotFound("This code does not work. It may have ended: ask for a new one.")
    return link.course


@transaction.atomic
def join(*, user: Person, code: str) -> Course:
    """Enrol `user` as a student, whatever role they have stays. Raises NotFound."""
    course = course_of(code=code)
    # Anonymous visitors are turned away before.
    Enrollment.objects.get_or_create(course=course, user_id=user.pk)  # type: ignore[misc]
    return course


def _working() -> "QuerySet[JoinLink]":
    lasting = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
    return JoinLink.objects.filter(lasting, is_open=True, course__is_archived=False)


def _taught(user: Person, course_id: uuid.UUID | str) -> uuid.UUID:
    enrolments.listed(user=user, course_id=course_id)  # refuses who doesn't teach it
    return uuid.UUID(str(course_id))
