"""Health for load balancers, figures for Prometheus."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from courses.models import Course, Document


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health_answers_without_asking_the_database(
    client: Client, student: User, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(student)  # a browser's cookie must not make it ask either
    with django_assert_num_queries(0):
        answer = client.get(path)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/metrics"])
def test_probes_may_call_the_process_by_any_name(client: Client, db: Any, settings: Settings, path: str) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.METRICS_TOKEN = "a-long-enough-token"
    headers = {"Host": "10.0.0.7:8000", "Authorization": "Bearer a-long-enough-token"}
    assert client.get(path, headers=headers).status_code == 200
    assert client.get("/", headers=headers).status_code == 400


@pytest.mark.parametrize("path", ["/health/ready", "/health/ready/"])
def test_ready_names_everything_that_it_asked(client: Client, db: Any, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"database": "ok", "migrations": "ok", "channel_layer": "ok"}


def test_not_ready_while_the_channel_layer_is_away(client: Client, db: Any, settings: Settings) -> None:
    settings.REDIS_URL = "redis://user:secret@127.0.0.1:1/0"
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["channel_layer"] == "failed: ConnectionError"
    assert b"secret" not in answer.content


def test_not_ready_while_migrations_wait(client: Client, db: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'chats'")
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert "manage.py migrate" in answer.json()["checks"]["migrations"]


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/metrics"])
def test_probes_are_not_redirected_to_https(client: Client, db: Any, settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^health(/ready)?/?$", r"^metrics/?$"]
    assert client.get(path).status_code in (200, 401)


def test_metrics_are_for_whoever_has_the_token(client: Client, db: Any, settings: Settings) -> None:
    settings.METRICS_TOKEN = "a-long-enough-token"
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    answer = client.get("/metrics", headers={"Authorization": "Bearer a-long-enough-token"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")


def test_without_a_token_set_no_token_opens_metrics(client: Client, db: Any, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


def test_metrics_are_for_staff_and_not_for_students(client: Client, student: User, operator: User) -> None:
    client.force_login(student)
    assert client.get("/metrics").status_code == 403
    client.force_login(operator)
    assert client.get("/metrics/").status_code == 200


def test_metrics_hold_what_an_operator_watches(client: Client, operator: User, course: Course) -> None:
    Document.objects.create(course=course, title="Waiting", file="x", file_name="x.pdf", sha256="0" * 64)
    client.force_login(operator)
    text = client.get("/metrics").content.decode()
    assert 'studybuddy_ingestion_queue{state="pending"} 1.0' in text
    for name in (
        "studybuddy_replies_running",
        "studybuddy_reply_first_token_seconds",
        "studybuddy_reply_seconds",
        "studybuddy_journal_lag_seconds",
        "studybuddy_reply_recoveries_total",
        "studybuddy_reply_errors_total",
        "studybuddy_runners",
        "django_http_requests_before_middlewares_total",
    ):
        assert f"# TYPE {name.removesuffix('_total')}" in text or f"# TYPE {name}" in text, name
