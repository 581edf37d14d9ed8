"""A day's figures, added up once, so that the dashboard reads ninety rows and not millions of messages."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from chats.models import ChatSession, DailyFigures, Message
from core.ids import first_uuid7
from courses.models import Document

# Today's figures are added up anew for whoever looks when they are older than this.
STALE_SECONDS = 60
KEPT_UP_DAYS = 90

CourseId = UUID | None


@dataclass
class _Sums:
    """What is counted of a course, or under None in `Tally` of the whole site."""

    sessions: int = 0
    questions: int = 0
    students: int = 0
    replies: int = 0
    failed: int = 0
    ingestion_failures: int = 0
    tokens: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    errors: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    def as_fields(self) -> dict[str, Any]:
        return {
            "sessions": self.sessions,
            "questions": self.questions,
            "students": self.students,
            "replies": self.replies,
            "failed": self.failed,
            "ingestion_failures": self.ingestion_failures,
            "prompt_tokens": sum(prompt for prompt, _ in self.tokens.values()),
            "completion_tokens": sum(completion for _, completion in self.tokens.values()),
            "tokens_by_model": dict(self.tokens),
            "errors": dict(self.errors),
            "first_token_p50_ms": percentile(self.waits, 0.50),
            "first_token_p95_ms": percentile(self.waits, 0.95),
            "updated_at": timezone.now(),
        }


def roll_up(day: date) -> None:
    """Add up a day (UTC) and write its rows, in place of those from an earlier try."""
    site, courses = _count(day)
    with transaction.atomic():
        DailyFigures.objects.update_or_create(day=day, course=None, defaults=site.as_fields())
        rows = [DailyFigures(day=day, course_id=course, **sums.as_fields()) for course, sums in courses.items()]
        if rows:
            DailyFigures.objects.bulk_create(
                rows, update_conflicts=True, unique_fields=["day", "course"], update_fields=list(_Sums().as_fields())
            )


def catch_up(*, days: int = KEPT_UP_DAYS, today: date | None = None) -> int:
    """Add up each of the last `days` days that was not added up after its end. Returns how many were."""
    today = today or _today()
    first = ChatSession.objects.order_by("pk").values_list("created_at", flat=True).first()
    if first is None:
        return 0
    start = max(today - timedelta(days=days), first.astimezone(UTC).date())
    done = {
        day: updated
        for day, updated in _site_rows(start, today).values_list("day", "updated_at")
        if updated >= _midnight(day + timedelta(days=1))
    }
    open_days = [day for day in _days(start, today) if day not in done]
    for day in open_days:
        roll_up(day)
    return len(open_days)


def latest(days: int) -> list[DailyFigures]:
    """The site's figures of the last `days` days, oldest first, zeros too. Today's are up to a minute old."""
    today = _today()
    fresh_after = timezone.now() - timedelta(seconds=STALE_SECONDS)
    if not _site_rows(today, today).filter(updated_at__gte=fresh_after).exists():
        roll_up(today)
    start = today - timedelta(days=days - 1)
    found = {row.day: row for row in _site_rows(start, today)}
    return [found.get(day) or DailyFigures(day=day) for day in _days(start, today)]


def top_courses(days: int, *, most: int = 10) -> list[Any]:
    """The courses with the most questions in the last `days` days: code, title, questions, tokens, failed."""
    rows = DailyFigures.objects.filter(course__isnull=False, day__gt=_today() - timedelta(days=days))
    return list(
        rows.values("course__code", "course__title")
        .annotate(
            asked=Sum("questions"),
            tokens=Sum("prompt_tokens") + Sum("completion_tokens"),
            broken=Sum("failed"),
        )
        .filter(asked__gt=0)
        .order_by("-asked", "course__code")[:most]
    )


def percentile(values: Iterable[float], share: float) -> int | None:
    """The value that `share` of `values` don't exceed, in milliseconds of the seconds given; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))])


def _count(day: date) -> tuple[_Sums, dict[UUID, _Sums]]:
    """The day's sums of the site and of each course."""
    by_course: defaultdict[CourseId, _Sums] = defaultdict(_Sums)
    _count_sessions(day, by_course)
    questions = _of_day(Message.objects.filter(role="user"), day)
    grouped = questions.order_by().values_list("session__course_id")
    for course, asked, people in grouped.annotate(asked=Count("pk"), people=Count("session__user_id", distinct=True)):
        by_course[course].questions, by_course[course].students = asked, people
    _count_replies(_of_day(Message.objects.filter(role="assistant"), day), by_course)
    failures = Document.objects.filter(state="failed", updated_at__range=(_midnight(day), _last_moment(day)))
    for course, count in failures.order_by().values_list("course_id").annotate(Count("pk")):
        by_course[course].ingestion_failures = count
    site = _together(list(by_course.values()))
    site.students = questions.aggregate(n=Count("session__user_id", distinct=True))["n"]
    return site, {course: sums for course, sums in by_course.items() if course is not None}


def _count_sessions(day: date, by_course: defaultdict[CourseId, _Sums]) -> None:
    begun = _of_day(ChatSession.objects.all(), day).order_by().values_list("course_id").annotate(Count("pk"))
    for course, count in begun:
        by_course[course].sessions = count


def _count_replies(replies: "QuerySet[Message]", by_course: defaultdict[CourseId, _Sums]) -> None:
    grouped = replies.order_by().values_list("session__course_id", "model")
    totals = grouped.annotate(
        count=Count("pk"),
        broken=Count("pk", filter=Q(state="failed")),
        prompt=Sum("prompt_tokens", default=0),
        completion=Sum("completion_tokens", default=0),
    )
    for course, model, count, failed, prompt, completion in totals:
        sums = by_course[course]
        sums.replies += count
        sums.failed += failed
        if prompt or completion:
            sums.tokens[model][0] += prompt
            sums.tokens[model][1] += completion
    failures = replies.filter(state="failed").order_by().values_list("session__course_id", "error_code")
    for course, code, count in failures.annotate(Count("pk")):
        by_course[course].errors[code or "unknown"] += count
    waits = replies.filter(first_token_at__isnull=False).values_list(
        "session__course_id", "created_at", "first_token_at"
    )
    for course, asked, came in waits.iterator(chunk_size=5000):
        if came is not None:
            by_course[course].waits.append((came - asked).total_seconds())


def _together(parts: Sequence[_Sums]) -> _Sums:
    """The sums of all parts but for students, who may be in several."""
    whole = _Sums()
    for part in parts:
        for name in ("sessions", "questions", "replies", "failed", "ingestion_failures"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        for model, (prompt, completion) in part.tokens.items():
            whole.tokens[model][0] += prompt
            whole.tokens[model][1] += completion
        whole.errors.update(part.errors)
        whole.waits += part.waits
    return whole


def _of_day(rows: "QuerySet[Any]", day: date) -> "QuerySet[Any]":
    """Rows made on that day: found by their ids, which begin with the time, so that the primary key is the index.

    What an import brought has the time at which it was said, and happened on no day of this site.
    """
    start, end = _midnight(day), _midnight(day + timedelta(days=1))
    return rows.filter(pk__gte=first_uuid7(start), pk__lt=first_uuid7(end), created_at__gte=start, created_at__lt=end)


def _site_rows(start: date, end: date) -> "QuerySet[DailyFigures]":
    return DailyFigures.objects.filter(course__isnull=True, day__range=(start, end))


def _days(start: date, end: date) -> list[date]:
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _last_moment(day: date) -> datetime:
    return datetime.combine(day, time.max, UTC)


def _today() -> date:
    return timezone.now().astimezone(UTC).date()
