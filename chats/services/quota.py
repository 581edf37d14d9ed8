"""Tokens per person and day. A turn reserves some with its commit and settles when its reply has ended.

A course with a quota of its own is counted by itself; all others share the site's quota.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from chats.exceptions import QuotaExceeded
from chats.models import Message, Usage
from core import statements
from courses.models import Course

# What a turn is taken to need until the model has said what it took.
RESERVED_PER_TURN = 2000
# A day's first reply makes the row, any other adds to it.
SETTLE = (
    "INSERT INTO chats_usage"
    " (user_id, course_id, day, questions, prompt_tokens, completion_tokens, reserved_tokens)"
    " VALUES (%s, %s, %s, 1, %s, %s, 0) ON CONFLICT {once} DO UPDATE SET questions = chats_usage.questions + 1,"
    " prompt_tokens = chats_usage.prompt_tokens + excluded.prompt_tokens,"
    " completion_tokens = chats_usage.completion_tokens + excluded.completion_tokens,"
    " reserved_tokens = CASE"
    " WHEN chats_usage.reserved_tokens > %s THEN chats_usage.reserved_tokens - %s ELSE 0 END"
)
IN_A_COURSE = SETTLE.format(once="(user_id, course_id, day)")
WITHOUT_COURSE = SETTLE.format(once="(user_id, day) WHERE course_id IS NULL")
SUMS = {"used": Sum(F("prompt_tokens") + F("completion_tokens")), "reserved": Sum("reserved_tokens")}


@dataclass(frozen=True)
class Allowance:
    """What a person used today (UTC) of which quota; 0 means that there is none."""

    used_tokens: int
    reserved_tokens: int
    quota: int
    resets_at: datetime

    @property
    def is_spent(self) -> bool:
        return bool(self.quota) and self.used_tokens + self.reserved_tokens >= self.quota


def allowance(*, user_id: Any, course: Course | None = None) -> Allowance:
    """Today's allowance in `course`, or of what the site's quota counts."""
    today = _today()
    sums = _pool(user_id, course, today).aggregate(**SUMS)
    own = None if course is None else course.daily_token_quota
    return _allowance(sums, settings.DAILY_TOKEN_QUOTA if own is None else own, today)


def allowances(*, user_id: Any, courses: "QuerySet[Course]") -> list[tuple[Course, Allowance]]:
    """Today's allowance in each of these courses that has a quota of its own, in two queries."""
    today = _today()
    own = list(courses.filter(daily_token_quota__isnull=False))
    rows = Usage.objects.filter(user_id=user_id, day=today, course__in=own).values("course_id").annotate(**SUMS)
    sums = {row["course_id"]: row for row in rows.order_by()}
    return [(course, _allowance(sums.get(course.pk, {}), course.daily_token_quota, today)) for course in own]


def _allowance(sums: Mapping[str, Any], quota: int | None, day: date) -> Allowance:
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
    return Allowance(sums.get("used") or 0, sums.get("reserved") or 0, quota or 0, midnight)


def reserve(*, user_id: Any, course: Course | None) -> int:
    """Hold tokens for one turn and return how many, 0 where there is no quota. Raises QuotaExceeded.

    Call it in the turn's transaction: concurrent turns of one person wait for each other here.
    """
    if not settings.DAILY_TOKEN_QUOTA and not _has_own_quota(course):
        return 0
    row = _row(user_id, None if course is None else course.pk, _today())
    list(_pool(user_id, course, row.day).select_for_update(of=("self",)).order_by("pk"))
    now = allowance(user_id=user_id, course=course)
    if not now.quota:
        return 0
    if now.is_spent:
        wait = (now.resets_at - timezone.now()).total_seconds()
        raise QuotaExceeded(
            f"You have used today's {now.quota:,} tokens. They are yours again at midnight UTC.", retry_after=wait
        )
    Usage.objects.filter(pk=row.pk).update(reserved_tokens=F("reserved_tokens") + RESERVED_PER_TURN)
    return RESERVED_PER_TURN


def settle(*, reply: Message, user_id: int, course_id: UUID | None, prompt_tokens: int, completion_tokens: int) -> None:
    """Book what an ended reply took and free what it had reserved. Zeros refund it all."""
    keys = [user_id, None if course_id is None else statements.key(course_id), _day(reply.created_at)]
    taken = [prompt_tokens, completion_tokens, reply.reserved_tokens, reply.reserved_tokens]
    statements.send(WITHOUT_COURSE if course_id is None else IN_A_COURSE, [*keys, *taken])


def _has_own_quota(course: Course | None) -> bool:
    return course is not None and course.daily_token_quota is not None


def _pool(user_id: Any, course: Course | None, day: date) -> "QuerySet[Usage]":
    rows = Usage.objects.filter(user_id=user_id, day=day)
    if _has_own_quota(course):
        return rows.filter(course=course)
    return rows.filter(Q(course__isnull=True) | Q(course__daily_token_quota__isnull=True))


def _row(user_id: Any, course_id: UUID | None, day: date) -> Usage:
    keys = {"user_id": user_id, "course_id": course_id, "day": day}
    found = Usage.objects.filter(**keys).first()
    if found is None:
        try:
            with transaction.atomic():
                found = Usage.objects.create(**keys)
        except IntegrityError:
            found = Usage.objects.get(**keys)
    return found


def _today() -> date:
    return _day(timezone.now())


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
