"""`cleanup_sessions`: what goes, what stays, and that the database is left as it should be."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from chats.models import ChatSession, Citation, Feedback, Message, ReplyAttempt, ReplyChunk, RetentionRun, SearchEntry
from core import schedule
from core.models import ScheduledJob
from courses.models import Course

Make = Callable[..., ChatSession]


@pytest.fixture
def make(student: User) -> Make:
    """Makes a conversation of a question and an answer. `idle` and `deleted` are days ago."""

    def make(*, idle: int = 0, deleted: int | None = None, **values: Any) -> ChatSession:
        now = timezone.now()
        session = ChatSession.objects.create(
            user=student,
            last_activity_at=now - timedelta(days=idle),
            deleted_at=None if deleted is None else now - timedelta(days=deleted),
            **values,
        )
        question = Message.objects.create(session=session, role="user", content="What?", ordinal=1)
        reply = Message.objects.create(session=session, parent=question, role="assistant", content="That.", ordinal=2)
        ChatSession.objects.filter(pk=session.pk).update(head=reply)
        Citation.objects.create(message=reply, marker=1, quote="q", document_title="Notes")
        Feedback.objects.create(message=reply, rating=1)
        ReplyChunk.objects.create(reply=reply, attempt=1, kind="text", offset=0, text="Th")
        ReplyAttempt.objects.create(reply=reply, attempt=1, runner="0193e0f0-0000-7000-8000-000000000000")
        return session

    return make


def test_idle_conversations_are_put_away_and_others_stay(make: Make) -> None:
    old, new = make(idle=31), make(idle=29)
    assert "1 soft-deleted, 0 removed" in cleanup("--inactive-days", "30")
    assert is_deleted(old)
    assert not is_deleted(new)


def test_what_was_put_away_long_ago_goes_with_everything_that_hangs_on_it(make: Make) -> None:
    gone, kept = make(deleted=31), make(deleted=29)
    assert "0 soft-deleted, 1 removed for good with 2 messages" in cleanup("--purge-days", "30")
    assert not ChatSession.objects.filter(pk=gone.pk).exists()
    assert ChatSession.objects.filter(pk=kept.pk).exists()
    for model in (Citation, Feedback, ReplyChunk, ReplyAttempt):
        assert model._base_manager.count() == 1, model
    assert Message.objects.count() == 2
    assert set(SearchEntry.objects.values_list("session_id", flat=True)) == {kept.pk}


def test_what_is_put_away_now_is_not_removed_in_the_same_run(make: Make) -> None:
    session = make(idle=31)
    cleanup("--inactive-days", "30", "--purge-days", "0")
    assert is_deleted(session)


def test_pinned_conversations_stay_unless_one_says_otherwise(make: Make) -> None:
    idle, away = make(idle=99, pinned_at=timezone.now()), make(deleted=99, pinned_at=timezone.now())
    cleanup("--inactive-days", "30", "--purge-days", "30")
    assert not is_deleted(idle)
    assert ChatSession.objects.filter(pk=away.pk).exists()
    cleanup("--inactive-days", "30", "--purge-days", "30", "--include-pinned")
    assert is_deleted(idle)
    assert not ChatSession.objects.filter(pk=away.pk).exists()


def test_a_course_is_cleared_so_many_days_after_its_end(make: Make) -> None:
    today = timezone.now().date()
    over = Course.objects.create(code="OVER", title="Over", ends_on=today - timedelta(days=11), retention_days=10)
    not_yet = Course.objects.create(code="YET", title="Yet", ends_on=today - timedelta(days=9), retention_days=10)
    gone, kept = make(course=over), make(course=not_yet)
    cleanup()
    assert is_deleted(gone)
    assert not is_deleted(kept)


def test_the_rule_of_a_course_takes_the_place_of_the_sites(make: Make) -> None:
    end = timezone.now().date() + timedelta(days=30)
    lasting = Course.objects.create(code="LONG", title="Long", ends_on=end, retention_days=365)
    kept, gone = make(idle=100, course=lasting), make(idle=100)
    cleanup("--inactive-days", "30")
    assert not is_deleted(kept)
    assert is_deleted(gone)


def test_only_the_named_course_is_cleared(make: Make) -> None:
    one, other = (Course.objects.create(code=code, title=code) for code in ("ONE", "TWO"))
    gone, kept = make(idle=99, course=one), make(idle=99, course=other)
    cleanup("--inactive-days", "30", "--course", "ONE")
    assert is_deleted(gone)
    assert not is_deleted(kept)


def test_a_dry_run_counts_by_course_and_changes_nothing(make: Make) -> None:
    course = Course.objects.create(code="ONE", title="One")
    session = make(idle=99, course=course)
    make(idle=99)
    make(deleted=99)
    said = cleanup("--inactive-days", "30", "--purge-days", "30", "--dry-run")
    lines = said.splitlines()
    assert lines[0] == "2 would be soft-deleted"
    assert set(lines[1:3]) == {"  without a course: 1", "  ONE: 1"}
    assert lines[3:] == ["1 would be removed for good", "  without a course: 1", "Nothing was changed."]
    assert not is_deleted(session)
    assert ChatSession.objects.count() == 3
    assert not RetentionRun.objects.exists()


def test_without_options_the_sites_rules_hold(make: Make, settings: Settings) -> None:
    idle, away = make(idle=50), make(deleted=31)
    cleanup()
    assert not is_deleted(idle), "0 days: idle ones are kept"
    assert not ChatSession.objects.filter(pk=away.pk).exists(), "what somebody deleted goes after 30 days"
    settings.SESSION_RETENTION_DAYS = 40
    cleanup()
    assert is_deleted(idle)


def test_a_running_reply_is_stopped_when_its_conversation_is_put_away(make: Make) -> None:
    session = make(idle=99)
    reply = Message.objects.create(session=session, role="assistant", state="queued", ordinal=3)
    cleanup("--inactive-days", "30")
    reply.refresh_from_db()
    assert reply.state == "stopped"


def test_batches_do_everything(make: Make) -> None:
    for _ in range(7):
        make(idle=99)
    assert "7 soft-deleted" in cleanup("--inactive-days", "30", "--batch-size", "2")


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_do_each_conversation_once(make: Make) -> None:
    for _ in range(20):
        make(deleted=99)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            cleanup("--purge-days", "30", "--batch-size", "1")
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not ChatSession.objects.exists()
    assert sum(RetentionRun.objects.values_list("purged", flat=True)) == 20


def test_a_run_leaves_a_row_that_operators_see(make: Make, client: Client, operator: User) -> None:
    make(idle=99)
    cleanup("--inactive-days", "30")
    run = RetentionRun.objects.get()
    assert (run.soft_deleted, run.purged, run.scheduled) == (1, 0, False)
    assert run.by_course == {"without a course": 1}
    assert run.finished_at
    client.force_login(operator)
    assert b"1 deleted, 0 purged" in client.get(reverse("admin:chats_retentionrun_change", args=[run.pk])).content


@pytest.mark.parametrize(
    "arguments",
    [
        ["--inactive-days", "-1"],
        ["--inactive-days", "many"],
        ["--purge-days", "999999999"],
        ["--batch-size", "0"],
        ["--course", "NOWHERE"],
    ],
)
def test_wrong_options_are_refused(db: Any, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        cleanup(*arguments)


@pytest.mark.django_db(transaction=True)
def test_the_worker_clears_away_each_day_and_has_the_next_day_ready(make: Make, settings: Settings) -> None:
    settings.SESSION_RETENTION_DAYS = 30
    session = make(idle=31)
    assert schedule.ensure() == 2  # retention and the figures
    assert schedule.ensure() == 0
    DBTaskResult.objects.update(run_after=datetime(2020, 1, 1, tzinfo=UTC))  # as if their hour had come
    work()
    assert is_deleted(session)
    assert RetentionRun.objects.get().scheduled
    today = timezone.now().astimezone(UTC).date()
    days = dict(ScheduledJob.objects.filter(job="retention").values_list("day", "finished_at"))
    assert days[today] is not None
    assert days[today + timedelta(days=1)] is None
    assert DBTaskResult.objects.filter(status="READY").count() == 2


def test_a_worker_that_was_away_makes_one_late_run(make: Make) -> None:
    ScheduledJob.objects.create(job="retention", day=date(2024, 1, 1))
    schedule.ensure()
    assert ScheduledJob.objects.filter(job="retention").count() == 2


def cleanup(*arguments: str) -> str:
    out = StringIO()
    call_command("cleanup_sessions", *arguments, stdout=out)
    return out.getvalue()


def work() -> None:
    """Run what is due in the queue as the worker does."""
    call_command("db_worker", "--batch", "--no-startup-delay", "--interval", "0", verbosity=0)


def is_deleted(session: ChatSession) -> bool:
    return ChatSession.objects.filter(pk=session.pk, deleted_at__isnull=False).exists()
