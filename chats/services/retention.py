"""Clearing conversations away: put away when idle for long, removed for good when put away for long.

A course with an end and `retention_days` has a rule of its own, which takes the place of the site's: its conversations
stay until that many days after its end, however idle, and go then. Pinned ones stay.

Work goes in batches, a short transaction each, and batches skip rows that somebody else holds: a student who writes
waits for nobody, and two runs at once share the work.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from chats.models import ChatSession, RetentionRun
from chats.services import erasure, governance
from courses.models import Course

# What people delete is gone for good after this many days, unless somebody says otherwise.
PURGE_DAYS = 30
BATCH = 500
# SQLite has one writer at a time, who is found by trying: between batches others get their turn.
BREATH_SECONDS = 0.02

NO_COURSE = "without a course"


@dataclass(frozen=True)
class Rules:
    """What goes. None for a number of days: nothing goes by that rule. `course` is a course's code."""

    inactive_days: int | None = None
    purge_days: int | None = PURGE_DAYS
    course: str = ""
    include_pinned: bool = False


@dataclass(frozen=True)
class Due:
    """How many conversations are due, by course code."""

    put_away: dict[str, int]
    purge: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.put_away.values()) + sum(self.purge.values())


def site_rules() -> Rules:
    """The rules of the daily job: SESSION_RETENTION_DAYS, and 30 days for what was put away."""
    return Rules(inactive_days=settings.SESSION_RETENTION_DAYS or None)


def due(rules: Rules) -> Due:
    """Count what a run would do now. (It would purge only what is put away already, not what it puts away itself.)"""
    return Due(_by_course(_idle(rules)), _by_course(_expired(rules)))


def clean(
    rules: Rules,
    *,
    batch_size: int = BATCH,
    scheduled: bool = False,
    progress: Callable[[int], object] = lambda count: None,
) -> RetentionRun:
    """Put away and purge what is due and return the row that says what was done. Calls `progress` per batch.

    Two runs at once do each conversation once. What is interrupted goes on with the next run.
    """
    run = RetentionRun.objects.create(rules=asdict(rules), scheduled=scheduled)
    try:
        by_course: Counter[str] = Counter()
        # Purging first: what is put away now keeps its days of grace, even with --purge-days 0.
        for ids, codes in _batches(_expired(rules), batch_size, lambda ids: _purge(run, ids)):
            by_course.update(codes)
            progress(len(ids))
        for ids, codes in _batches(_idle(rules), batch_size, lambda ids: _put_away(run, ids)):
            by_course.update(codes)
            progress(len(ids))
        run.by_course = dict(by_course)
    except Exception as error:
        run.error = type(error).__name__
        raise
    finally:
        run.finished_at = timezone.now()
        run.save()
    return run


def _purge(run: RetentionRun, ids: list[UUID]) -> None:
    removed = erasure.erase_sessions(ids)
    run.purged += len(ids)
    run.messages += removed.get("messages", 0)


def _put_away(run: RetentionRun, ids: list[UUID]) -> None:
    run.soft_deleted += governance.put_away(session_ids=ids)


def _batches(
    chosen: "QuerySet[ChatSession]", size: int, act: Callable[[list[UUID]], None]
) -> Iterator[tuple[list[UUID], list[str]]]:
    """Lock, act on and commit one batch after the other. What was acted on is no longer among the chosen."""
    can_skip = connection.features.has_select_for_update_skip_locked
    locked = chosen.select_for_update(skip_locked=can_skip, of=("self",) if can_skip else ()).order_by("pk")
    rest = locked
    while True:
        with transaction.atomic():
            rows = list(rest.values_list("pk", "course_id")[:size])
            ids = [pk for pk, _ in rows]
            if ids:
                act(ids)
        if not ids:
            return
        yield ids, _codes([course for _, course in rows])
        rest = locked.filter(pk__gt=ids[-1])
        if connection.vendor == "sqlite":
            time.sleep(BREATH_SECONDS)


def _idle(rules: Rules) -> "QuerySet[ChatSession]":
    """Conversations to put away: idle too long, or of a course whose own time is over."""
    over = Q(course__in=_courses_over())
    if rules.inactive_days is None:
        wanted = over
    else:
        before = timezone.now() - timedelta(days=rules.inactive_days)
        has_own_rule = Q(course__ends_on__isnull=False, course__retention_days__isnull=False)
        wanted = over | (Q(last_activity_at__lt=before) & ~has_own_rule)
    return _within(rules, ChatSession.objects.filter(wanted, deleted_at__isnull=True))


def _expired(rules: Rules) -> "QuerySet[ChatSession]":
    """Conversations to remove for good: put away too long ago."""
    if rules.purge_days is None:
        return ChatSession.objects.none()
    before = timezone.now() - timedelta(days=rules.purge_days)
    return _within(rules, ChatSession.objects.filter(deleted_at__lt=before))


def _within(rules: Rules, sessions: "QuerySet[ChatSession]") -> "QuerySet[ChatSession]":
    if rules.course:
        sessions = sessions.filter(course__code=rules.course)
    if not rules.include_pinned:
        sessions = sessions.filter(pinned_at__isnull=True)
    return sessions.order_by()


def _courses_over() -> list[UUID]:
    """Courses whose conversations have had their days after the end. There are few courses, so days are added here."""
    today = timezone.now().date()
    own = Course.objects.filter(ends_on__isnull=False, retention_days__isnull=False)
    return [
        pk
        for pk, ends_on, days in own.values_list("pk", "ends_on", "retention_days")
        if ends_on + timedelta(days=days) < today
    ]


def _by_course(sessions: "QuerySet[ChatSession]") -> dict[str, int]:
    rows = sessions.values_list("course__code").annotate(n=Count("pk")).order_by("course__code")
    return {code or NO_COURSE: count for code, count in rows}


def _codes(course_ids: list[UUID | None]) -> list[str]:
    known = {pk for pk in course_ids if pk is not None}
    names = dict(Course.objects.filter(pk__in=known).values_list("pk", "code"))
    return [NO_COURSE if pk is None else names.get(pk, NO_COURSE) for pk in course_ids]
