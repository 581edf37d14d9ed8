"""What is answered while the database is away, wherever in a request that is noticed."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from studybuddy import health

pytestmark = pytest.mark.django_db


def away(*_: Any) -> Any:
    raise OperationalError("the database system is shutting down")


def ask(client: Client, path: str) -> Any:
    client.raise_request_exception = False
    with connection.execute_wrapper(away):
        return client.get(path)


def test_people_are_asked_to_wait(client: Client, student: User) -> None:
    client.force_login(student)
    for path in ("/chats", "/courses", "/nothing-here", "/accounts/email/"):
        answer = ask(client, path)
        assert answer.status_code == 503, path
        assert answer["Retry-After"] == "5"
        assert "Just a moment" in answer.content.decode()


def test_programs_are_told_so_in_json(client: Client, student: User) -> None:
    client.force_login(student)
    for path in ("/api/sessions", "/api/nothing-here"):
        answer = ask(client, path)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5"), path
        assert answer.json()["code"] == "unavailable"


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("path", ["/chats", "/api/sessions", "/account"])
def test_a_request_waits_for_the_database_once(
    client: Client, student: User, settings: Settings, path: str, debug: bool
) -> None:
    settings.DEBUG = debug
    client.force_login(student)
    client.raise_request_exception = False
    asked: list[str] = []

    def wait_in_vain(execute: Any, sql: str, *_: Any) -> Any:
        asked.append(sql)
        raise OperationalError("couldn't get a connection after 5.00 sec")

    with connection.execute_wrapper(wait_in_vain):
        assert client.get(path).status_code == 503
    assert len(asked) == 1


@pytest.mark.parametrize("debug", [True, False])
def test_a_database_that_goes_away_in_the_middle_is_no_mistake_of_ours(
    client: Client, student: User, settings: Settings, debug: bool
) -> None:
    settings.DEBUG = debug
    client.force_login(student)
    client.raise_request_exception = False

    def go_away(execute: Any, sql: str, *rest: Any) -> Any:
        return away() if "courses_course" in sql else execute(sql, *rest)

    for path in ("/chats", "/courses", "/api/courses"):
        with connection.execute_wrapper(go_away):
            assert client.get(path).status_code == 503, path


def test_a_mistake_of_ours_is_still_a_500(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.raise_request_exception = False
    monkeypatch.setitem(health.CHECKS, "database", lambda: str(1 / 0))
    answer = client.get("/health/ready")
    assert answer.status_code == 500
    assert "Something broke" in answer.content.decode()


def test_a_stale_form_says_so() -> None:
    answer = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "student", "password": "x"})
    assert answer.status_code == 403
    assert "gone stale" in answer.content.decode()
