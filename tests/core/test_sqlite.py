"""Transactions of one process take turns on SQLite, however each of them ends."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, OperationalError, connection, transaction

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has many writers"),
]


def add(name: str) -> str:
    with transaction.atomic():
        return User.objects.create_user(name).username


def fails_inside() -> None:
    with transaction.atomic():
        User.objects.create_user("undone")
        raise ZeroDivisionError


def leaves_in_the_middle() -> None:
    with transaction.atomic():
        connection.close()


def breaks_the_connection() -> None:
    connection.ensure_connection()
    connection.connection.close()
    with transaction.atomic():
        User.objects.create_user("undone")


@pytest.mark.parametrize(
    ("ends", "raised"),
    [(fails_inside, ZeroDivisionError), (leaves_in_the_middle, None), (breaks_the_connection, DatabaseError)],
)
def test_whoever_comes_next_goes_on(
    threads: ThreadPoolExecutor, ends: Callable[[], None], raised: type[Exception] | None
) -> None:
    failed = threads.submit(ends).exception(10)
    assert (failed is None) if raised is None else isinstance(failed, raised)
    assert threads.submit(add, "next").result(5) == "next"
    assert not User.objects.filter(username="undone").exists()


def test_a_file_that_stays_locked_is_said_to_be_after_the_time_that_was_set(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)
    with transaction.atomic():
        failed = threads.submit(add, "second").exception(10)
    assert isinstance(failed, OperationalError)
    assert threads.submit(add, "next").result(5) == "next"
