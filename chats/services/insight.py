"""What a course asks, for its instructors: trends, not transcripts.

Students ask more freely when nobody reads over their shoulder. So nothing is shown that fewer than five students share,
except what those wrote who agreed to be seen by name.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone

from chats.models import Citation, Feedback, Message
from chats.querysets import Person
from core.errors import Forbidden, NotFound
from core.ids import first_uuid7
from courses import analysis, languages
from courses.models import Course, Enrollment

SMALLEST_GROUP = 5
DAYS = 30
QUESTIONS_READ = 5000
CHARACTERS_READ = 500
TERMS_SHOWN = 15
AGREED_SHOWN = 10


@dataclass(frozen=True)
class Group:
    """Something that at least five students share: how many questions, by how many of them."""

    name: str
    questions: int
    students: int


@dataclass(frozen=True)
class Complaint:
    """An answer rated down, of a student who agreed to be seen."""

    student: str
    question: str
    comment: str
    passages: list[str]


@dataclass(frozen=True)
class Insight:
    """What may be shown. `is_enough` is false while fewer than five students have asked: then all else is empty."""

    days: int
    is_enough: bool = False
    questions: int = 0
    students: int = 0
    per_day: list[tuple[date, int | None]] = field(default_factory=list)  # None: fewer than five students
    lectures: list[Group] = field(default_factory=list)
    terms: list[Group] = field(default_factory=list)
    unanswered_terms: list[Group] = field(default_factory=list)
    rated_down: list[Group] = field(default_factory=list)
    agreed: list[Complaint] = field(default_factory=list)


@dataclass(frozen=True)
class _Question:
    id: UUID
    student: Any
    day: date
    text: str
    is_answered: bool


def of_course(*, user: Person, course_id: UUID, days: int = DAYS) -> Insight:
    """The last `days` days of the course. Raises NotFound to who isn't in it, Forbidden to who doesn't teach it."""
    course = Course.objects.for_user(user).filter(pk=course_id).first()
    if course is None:
        raise NotFound
    if not Course.objects.taught_by(user).filter(pk=course_id).exists():
        raise Forbidden("Insight is for the course's instructors.")
    start = timezone.now() - timedelta(days=days)
    questions = _questions(course, start)
    students = {question.student for question in questions}
    agreed = _agreed(course, start)
    if len(students) < SMALLEST_GROUP:
        return Insight(days, agreed=agreed)
    stop_words = languages.stop_words(course.language)
    unanswered = [question for question in questions if not question.is_answered]
    return Insight(
        days=days,
        is_enough=True,
        questions=len(questions),
        students=len(students),
        per_day=_per_day(questions, days),
        lectures=_lectures(course, questions),
        terms=_terms(questions, stop_words),
        unanswered_terms=_terms(unanswered, stop_words),
        rated_down=_rated_down(course, start),
        agreed=agreed,
    )


def _questions(course: Course, start: datetime) -> list[_Question]:
    """The newest questions of the course's students. Instructors trying the tutor out are no students."""
    students = Enrollment.objects.filter(course=course, role="student", user=OuterRef("session__user"))
    cited = Citation.objects.filter(message__parent=OuterRef("pk"), cited=True)
    rows = (
        Message.objects.filter(
            Exists(students),
            session__course=course,
            role="user",
            pk__gte=first_uuid7(start),
            created_at__gte=start,
        )
        .annotate(is_answered=Exists(cited))
        .order_by("-pk")
        .values_list("pk", "session__user_id", "created_at", "content", "is_answered")[:QUESTIONS_READ]
    )
    return [
        _Question(pk, student, made.astimezone(UTC).date(), content[:CHARACTERS_READ], answered)
        for pk, student, made, content, answered in rows
    ]


def _per_day(questions: Sequence[_Question], days: int) -> list[tuple[date, int | None]]:
    asked: defaultdict[date, list[Any]] = defaultdict(list)
    for question in questions:
        asked[question.day].append(question.student)
    today = timezone.now().astimezone(UTC).date()
    span = [today - timedelta(days=number) for number in range(days - 1, -1, -1)]
    return [
        (day, len(asked[day]) if len(set(asked[day])) >= SMALLEST_GROUP or not asked[day] else None) for day in span
    ]


def _lectures(course: Course, questions: Sequence[_Question]) -> list[Group]:
    """Questions by the lecture whose material their answers cite."""
    by_id = {question.id: question for question in questions}
    rows = Citation.objects.filter(
        course=course, cited=True, document__lecture__isnull=False, message__pk__gte=min(by_id)
    ).values_list("message__parent_id", "document__lecture__number", "document__lecture__title")
    pairs = {(f"{number}. {title}", by_id[pk]) for pk, number, title in rows if pk in by_id}
    return _groups((name, question.student) for name, question in sorted(pairs, key=lambda pair: pair[1].id))


def _terms(questions: Sequence[_Question], stop_words: Iterable[str]) -> list[Group]:
    """Words, and pairs of words, by how many students used them. A pair takes the place of a word that only it uses."""
    ignored = frozenset(stop_words)
    uses: list[tuple[str, Any]] = []
    for question in questions:
        said = [word for word in analysis.words(question.text) if word not in ignored and len(word) > 1]
        pairs = {f"{one} {other}" for one, other in itertools.pairwise(said) if one != other}
        uses += [(term, question.student) for term in {*said, *pairs} if not term.isdecimal()]
    found = _groups(uses, most=TERMS_SHOWN * 3)
    covered = {(word, group.questions) for group in found if " " in group.name for word in group.name.split()}
    return [group for group in found if (group.name, group.questions) not in covered][:TERMS_SHOWN]


def _rated_down(course: Course, start: datetime) -> list[Group]:
    """The documents whose passages stand in answers rated down."""
    rows = Citation.objects.filter(
        course=course,
        message__feedback__rating=-1,
        message__created_at__gte=start,
        message__session__user__enrolments__course=course,
        message__session__user__enrolments__role="student",
    ).values_list("document_title", "message_id", "message__session__user_id")
    return _groups((title, student) for title, _, student in sorted(set(rows), key=str))


def _agreed(course: Course, start: datetime) -> list[Complaint]:
    """The newest answers rated down by students who agreed that instructors see the name."""
    willing = Enrollment.objects.filter(course=course, share_name=True, user=OuterRef("message__session__user"))
    rows = Feedback.objects.filter(
        Exists(willing), rating=-1, message__session__course=course, message__created_at__gte=start
    ).select_related("message__parent", "message__session__user")
    found = rows.prefetch_related("message__citations").order_by("-pk")[:AGREED_SHOWN]
    return [
        Complaint(
            student=row.message.session.user.get_full_name() or row.message.session.user.get_username(),
            question=row.message.parent.content if row.message.parent else "",
            comment=row.comment,
            passages=[place_of(citation) for citation in row.message.citations.all()],
        )
        for row in found
    ]


def place_of(citation: Citation) -> str:
    """Where a passage stands, in words: "Notes, page 3"."""
    places = [
        f"page {citation.page}" if citation.page else "",
        f"slide {citation.slide}" if citation.slide else "",
        citation.heading,
    ]
    return ", ".join(part for part in [citation.document_title, *places] if part)


def _groups(uses: Iterable[tuple[str, Any]], most: int = TERMS_SHOWN) -> list[Group]:
    """What at least five students share, most students first. `uses` are (name, student), one per question."""
    counts: Counter[str] = Counter()
    students: defaultdict[str, set[Any]] = defaultdict(set)
    for name, student in uses:
        counts[name] += 1
        students[name].add(student)
    groups = [
        Group(name, counts[name], len(people)) for name, people in students.items() if len(people) >= SMALLEST_GROUP
    ]
    return sorted(groups, key=lambda group: (-group.students, -group.questions, group.name))[:most]
