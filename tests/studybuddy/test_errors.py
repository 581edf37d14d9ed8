"""What is answered while the database is away, wherever in a request that is noticed."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client

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
