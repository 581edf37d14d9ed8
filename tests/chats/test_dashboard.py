"""The admin's front page, from figures added up per day."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from chats.models import ChatSession, DailyFigures, Message
from chats.services import figures
from courses.models import Course, Document


@pytest.fixture
def admin(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def today(student: User, teammate: User, course: Course) -> None:
    """Two students; three replies in a course with waits of 1, 2 and 3 seconds, one of them failed; one without."""
    now = timezone.now()
    for number, person in enumerate((student, student, teammate), 1):
        session = ChatSession.objects.create(user=person, course=course)
        Message.objects.create(session=session, role="user", content="?", ordinal=1)
        failed = {"state": "failed", "error_code": "timeout"} if number == 3 else {}
        Message.objects.create(
            session=session,
            role="assistant",
            ordinal=2,
            model="m",
            prompt_tokens=1_000_000,
            completion_tokens=1_000_000,
            created_at=now,
            first_token_at=now + timedelta(seconds=number),
            **failed,
        )
    alone = ChatSession.objects.create(user=student)
    Message.objects.create(session=alone, role="user", content="?", ordinal=1)
    # What an import brings was said on another day, though its rows are made today.
    Message.objects.create(session=alone, role="user", content="old", created_at=now - timedelta(days=99), ordinal=1)
    Document.objects.create(course=course, title="x", file="x", file_name="x", sha256="0" * 64, state="failed")


def test_a_day_is_added_up(today: None, course: Course) -> None:
    figures.roll_up(timezone.now().date())
    site = DailyFigures.objects.get(course=None)
    assert (site.sessions, site.questions, site.students, site.replies, site.failed) == (4, 4, 2, 3, 1)
    assert (site.prompt_tokens, site.completion_tokens) == (3_000_000, 3_000_000)
    assert site.tokens_by_model == {"m": [3_000_000, 3_000_000]}
    assert site.errors == {"timeout": 1}
    assert (site.first_token_p50_ms, site.first_token_p95_ms) == (2000, 3000)
    assert site.ingestion_failures == 1
    own = DailyFigures.objects.get(course=course)
    assert (own.sessions, own.questions, own.students) == (3, 3, 2)


def test_adding_up_twice_is_the_same_as_once(today: None) -> None:
    for _ in range(2):
        figures.roll_up(timezone.now().date())
    assert DailyFigures.objects.count() == 2
    assert DailyFigures.objects.get(course=None).questions == 4


def test_the_front_page_shows_figures_with_a_table_behind_each(today: None, admin: Client, settings: Settings) -> None:
    settings.MODEL_PRICES = {"m": [1.0, 2.0]}
    text = admin.get(reverse("admin:index")).content.decode()
    assert text.count('<svg class="chart"') == text.count("<details><summary>As a table") == 8
    assert "$9.00" in text
    assert "33.3 %" in text
    assert "timeout" in text
    assert "ML101" in text
    assert "style=" not in text.partition('class="figures"')[2].partition("</section>")[0]


@pytest.mark.parametrize("days", ["7", "30", "90", "1000000", "x"])
def test_spans(admin: Client, days: str) -> None:
    answer = admin.get(reverse("admin:index"), {"days": days})
    assert answer.status_code == 200
    assert answer.context["dashboard"]["span"] == (int(days) if days in ("7", "30", "90") else 30)


def test_the_front_page_reads_few_rows_once_the_day_is_added_up(
    today: None, admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    admin.get(reverse("admin:index"))
    with django_assert_max_num_queries(10):
        admin.get(reverse("admin:index"), {"days": "90"})


def test_staff_without_the_permission_see_no_figures(client: Client, outsider: User, today: None) -> None:
    outsider.is_staff = True
    outsider.save()
    client.force_login(outsider)
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 200
    assert b'class="chart"' not in answer.content


def test_past_days_can_be_added_up_by_hand(student: User) -> None:
    ChatSession.objects.create(user=student, created_at=timezone.now() - timedelta(days=3))
    call_command("roll_up_figures", verbosity=0)
    assert DailyFigures.objects.filter(course=None).count() == 4
    assert figures.catch_up() == 1, "today is not over"
