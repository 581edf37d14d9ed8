"""Connections that the server has ended in the pool are noticed before they are used."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from core.postgresql import base
from tests.threads import ReleasingExecutor

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server"),
]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ReleasingExecutor(max_workers=4) as pool:
        yield pool


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
