"""Every list and page of the admin opens, for operators only, with as many queries for many rows as for few."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chats.models import (
    AccessLog,
    ChatSession,
    Citation,
    DailyFigures,
    Feedback,
    Message,
    ReplyAttempt,
    RetentionRun,
    Runner,
    Usage,
)
from core.ids import uuid7
from core.models import ApiToken, ScheduledJob
from courses.models import Course, Document, Enrollment, JoinLink, Lecture, Passage

LISTS = [
    "auth_user",
    "chats_accesslog",
    "chats_chatsession",
    "chats_citation",
    "chats_dailyfigures",
    "chats_feedback",
    "chats_message",
    "chats_replyattempt",
    "chats_retentionrun",
    "chats_runner",
    "chats_usage",
    "core_apitoken",
    "core_scheduledjob",
    "courses_course",
    "courses_document",
    "courses_enrollment",
    "courses_joinlink",
    "courses_lecture",
    "courses_passage",
]
# Where a search field is; each must stand a search for anything.
SEARCHED = [
    name
    for name in LISTS
    if name not in ("chats_dailyfigures", "chats_retentionrun", "chats_runner", "core_scheduledjob")
]


@pytest.fixture
def admin(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def populate(course: Course, student: User) -> Callable[[int], None]:
    """Adds one row of everything per number."""

    def populate(number: int) -> None:
        now = timezone.now()
        person = User.objects.create_user(f"person-{number}")
        other = Course.objects.create(code=f"C-{number}", title="A course")
        Enrollment.objects.create(course=other, user=person)
        lecture = Lecture.objects.create(course=other, number=1, title="First")
        document = Document.objects.create(
            course=other, lecture=lecture, title="Notes", file="n.md", file_name="n.md", sha256=f"{number:064}"
        )
        passage = Passage.objects.create(document=document, position=1, text="Some text")
        JoinLink.objects.create(course=other, created_by=person)
        runner = Runner.objects.create(host="here", pid=number + 1, heartbeat_at=now)
        session = ChatSession.objects.create(user=person, course=other, title="About notes")
        question = Message.objects.create(session=session, role="user", content="What?", ordinal=1)
        reply = Message.objects.create(
            session=session, parent=question, role="assistant", content="That.", ordinal=2, runner=runner, model="m"
        )
        ChatSession.objects.filter(pk=session.pk).update(head=reply)
        Citation.objects.create(
            message=reply, marker=1, passage=passage, document=document, course=other, quote="q", document_title="Notes"
        )
        Feedback.objects.create(message=reply, rating=-1)
        ReplyAttempt.objects.create(reply=reply, attempt=1, runner=runner.pk, request_id="req-1")
        Usage.objects.create(user=person, course=other, day=now.date())
        AccessLog.objects.create(viewer=student, owner=person, session=session.pk, action="viewed")
        RetentionRun.objects.create()
        day = now.date() - timedelta(days=number)
        DailyFigures.objects.create(day=day, course=other)
        ScheduledJob.objects.create(job="retention", day=day)
        ApiToken.objects.create(user=person)

    return populate


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_one(
    admin: Client, populate: Callable[[int], None], name: str
) -> None:
    url = reverse(f"admin:{name}_changelist")
    populate(0)
    admin.get(url)  # what is looked up once and then remembered: content types
    few = queries_of(admin, url)
    for number in range(1, 6):
        populate(number)
    assert queries_of(admin, url) <= few
    assert few <= 15


@pytest.mark.parametrize("name", SEARCHED)
@pytest.mark.parametrize("term", ["x", "0193e0f0-0000-7000-8000-000000000000", 'it\'s 100% "odd" \\', "ünï"])
def test_any_list_can_be_searched_for_anything(admin: Client, name: str, term: str) -> None:
    assert admin.get(reverse(f"admin:{name}_changelist"), {"q": term}).status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_every_kind_of_row_can_be_opened(admin: Client, populate: Callable[[int], None], name: str) -> None:
    populate(0)
    from django.contrib.admin import site

    model = next(one for one in site._registry if f"{one._meta.app_label}_{one._meta.model_name}" == name)
    rows = model._base_manager.all()
    row = rows.filter(role="assistant").first() if model is Message else rows.first()
    answer = admin.get(reverse(f"admin:{name}_change", args=[row.pk]))
    assert answer.status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_for_staff(client: Client, student: User, name: str) -> None:
    client.force_login(student)
    assert client.get(reverse(f"admin:{name}_changelist")).status_code == 302


def test_staff_without_permissions_see_no_conversation(client: Client, outsider: User, student: User) -> None:
    outsider.is_staff = True
    outsider.save()
    session = ChatSession.objects.create(user=student)
    client.force_login(outsider)
    assert client.get(reverse("admin:chats_chatsession_changelist")).status_code == 403
    assert client.get(reverse("admin:chats_chatsession_change", args=[session.pk])).status_code == 403
    assert client.get(reverse("admin:chats_message_running")).status_code == 403


def test_the_access_log_is_for_superusers(client: Client, outsider: User) -> None:
    outsider.is_staff = True
    outsider.save()
    outsider.user_permissions.set(Permission.objects.all())
    client.force_login(outsider)
    assert client.get(reverse("admin:chats_accesslog_changelist")).status_code == 403
    assert client.get(reverse("admin:chats_chatsession_changelist")).status_code == 200


def test_a_list_counts_no_further_than_it_must(admin: Client, student: User) -> None:
    ChatSession.objects.bulk_create((ChatSession(user=student) for _ in range(10_050)), batch_size=500)
    assert admin.get(reverse("admin:chats_chatsession_changelist")).context["cl"].result_count == 10_000


def test_a_reply_is_found_by_the_providers_request_id(admin: Client, populate: Callable[[int], None]) -> None:
    populate(0)
    url = reverse("admin:chats_message_changelist")
    assert admin.get(url, {"q": "req-1"}).context["cl"].result_count == 1
    assert admin.get(url, {"q": str(uuid7())}).context["cl"].result_count == 0


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get(url).status_code == 200
    return len(found)
