"""Pooled connections that have ended are noticed, and transactions keep their promise with fewer round trips."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import DataError, connection, transaction
from django.db.transaction import TransactionManagementError

from core import statements
from core.postgresql import base
from courses.models import Course
from tests.threads import ReleasingExecutor

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server"),
]


def process() -> int:
    """Which of the server's processes answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def end_all_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize("trusted_seconds", [60.0, 0.0])
def test_work_goes_on_after_the_server_ended_what_was_in_the_pool(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, trusted_seconds: float
) -> None:
    monkeypatch.setattr(base, "TRUSTED_SECONDS", trusted_seconds)
    own = process()
    before = {work.result(10) for work in [threads.submit(process) for _ in range(20)]}
    assert own not in before
    end_all_others()
    after = {work.result(10) for work in [threads.submit(process) for _ in range(20)]}
    assert not before & after


def committed() -> set[str]:
    """What another connection sees."""
    with ReleasingExecutor(max_workers=1) as thread:
        return thread.submit(lambda: set(Course.objects.values_list("code", flat=True))).result(10)


def test_the_last_statements_of_a_transaction_commit_it() -> None:
    course = Course.objects.create(code="ONE", title="One")
    with transaction.atomic():
        with statements.together(last=True):
            statements.put(Course, "id = %s", [course.pk], code="TWO")
        assert committed() == {"TWO"}
        with pytest.raises(TransactionManagementError):
            Course.objects.count()


def test_within_another_transaction_the_last_statements_wait_for_its_end() -> None:
    course = Course.objects.create(code="ONE", title="One")
    with transaction.atomic():
        with transaction.atomic(), statements.together(last=True):
            statements.put(Course, "id = %s", [course.pk], code="TWO")
        assert committed() == {"ONE"}
        assert Course.objects.get().code == "TWO"
    assert committed() == {"TWO"}


def test_a_mistake_in_the_last_statements_takes_back_all() -> None:
    course = Course.objects.create(code="ONE", title="One")
    with pytest.raises(DataError), transaction.atomic():  # noqa: PT012 - the mistake comes at the inner block's end
        statements.put(Course, "id = %s", [course.pk], code="TWO")
        with statements.together(last=True):
            statements.send("SELECT 1 / %s", [0])
            statements.put(Course, "id = %s", [course.pk], title="Other")
    assert committed() == {"ONE"}
    assert Course.objects.get().title == "One"


def test_a_transaction_that_fails_before_its_first_statement_leaves_the_connection_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        raise ZeroDivisionError
    Course.objects.create(code="ONE", title="One")
    assert committed() == {"ONE"}


def test_what_was_not_committed_when_an_error_came_is_gone() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012 - what comes before is the point
        Course.objects.create(code="ONE", title="One")
        raise ZeroDivisionError
    assert committed() == set()


def test_a_cursor_from_before_the_transaction_is_part_of_it() -> None:
    course = Course.objects.create(code="ONE", title="One")
    with connection.cursor() as cursor:
        with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012 - what comes before is the point
            cursor.execute("UPDATE courses_course SET code = 'TWO'")
            raise ZeroDivisionError
        assert committed() == {"ONE"}
        with transaction.atomic():
            with statements.together(last=True):
                statements.put(Course, "id = %s", [course.pk], code="THREE")
            with pytest.raises(TransactionManagementError):
                cursor.execute("UPDATE courses_course SET code = 'FOUR'")
    assert committed() == {"THREE"}


def test_an_error_in_the_last_statements_that_is_caught_is_no_success() -> None:
    told: list[str] = []
    with transaction.atomic():
        transaction.on_commit(lambda: told.append("committed"))
        with suppress(DataError), statements.together(last=True):
            statements.send("SELECT 1 / %s", [0])
        with pytest.raises(TransactionManagementError):
            Course.objects.count()
    assert not told


def test_rows_that_are_locked_can_be_read_bit_by_bit() -> None:
    Course.objects.create(code="ONE", title="One")
    with transaction.atomic():
        assert [course.code for course in Course.objects.select_for_update().iterator(chunk_size=1)] == ["ONE"]
    assert [course.code for course in Course.objects.iterator(chunk_size=1)] == ["ONE"]
