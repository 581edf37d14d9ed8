"""Logs hold ids, never what people wrote. The site runs in a process of its own, whose stderr is read."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User

from core import tokens
from tests.fakes.fixtures import ModelServer
from tests.servers import running_site

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "a-word-only-this-student-wrote"

SESSION = "0193e0f0-0000-7000-8000-000000000000"
SITE = f"""
import django; django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import path
import studybuddy.urls

def page(request, session_id):
    return HttpResponse()

def crash(request, session_id):
    text = "{SECRET}"
    raise ValueError("first line\\nDETAIL: Failing row contains ({SECRET})")

studybuddy.urls.urlpatterns += [path("page/<str:session_id>", page), path("crash/<str:session_id>", crash)]
call_command("migrate", verbosity=0)
client = Client(raise_request_exception=False)
client.force_login(User.objects.create_user("reader"))
client.get("/courses?q={SECRET}")
client.get("/nowhere/{SECRET}?q={SECRET}")
client.get("/page/{SESSION}")
client.get("/page/{SECRET}")
client.post("/crash/1", {{"text": "{SECRET}"}})
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What a site with JSON logs at their most talkative wrote to stderr during five requests."""
    done = subprocess.run(
        [sys.executable, "-c", SITE],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "studybuddy.settings",
            "ENV_FILE": os.devnull,
            "DEBUG": "true",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "DEBUG",
            "ALLOWED_HOSTS": "testserver",
            "DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('logs') / 'site.sqlite3'}",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_nothing_that_somebody_wrote_is_in_the_log(lines: list[dict[str, Any]]) -> None:
    assert SECRET not in json.dumps(lines)


def test_each_request_has_one_line_with_its_id_and_status(lines: list[dict[str, Any]]) -> None:
    ended = [line for line in lines if line["event"] == "request_finished"]
    assert [line["code"] for line in ended] == [200, 404, 200, 200]
    assert len({line["request_id"] for line in ended}) == 4


def test_the_line_of_a_request_has_its_user_and_the_ids_of_its_path(lines: list[dict[str, Any]]) -> None:
    line = next(line for line in lines if line.get("session_id"))
    assert line["user_id"] == 1
    assert line["session_id"] == SESSION
    assert line["request"] == "GET /page/<str:session_id>"


def test_a_crash_says_where_without_locals(lines: list[dict[str, Any]]) -> None:
    line = next(line for line in lines if line["event"] == "request_failed")
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert line["exception"][0]["exc_value"] == "first line"
    assert "crash" in [frame["name"] for frame in line["exception"][0]["frames"]]


@pytest.mark.django_db(transaction=True)
def test_what_a_reply_runs_into_is_told_with_all_its_ids(
    model_server: ModelServer, student: User, tmp_path: Path
) -> None:
    """From the request that asked to the reply's end, on whatever thread or task: the same ids, and no text."""
    _, token = tokens.create(user=student)
    settings = {"OPENAI_BASE_URL": model_server.base_url, "CHAT_MODEL": "stream-error:2", "LOG_FORMAT": "json"}
    with running_site(tmp_path, LOG_LEVEL="INFO", **settings) as site:
        answer = httpx.post(
            f"{site.url}/api/agent/chat",
            json={"message": SECRET, "stream": False},
            headers={
                "authorization": f"Bearer {token}",
            },
            timeout=30,
        ).json()
    said = answer["assistant_message"]["content"]
    log = site.log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    failed = next(line for line in lines if line["event"] == "reply failed")
    ended = next(line for line in lines if line["event"] == "reply ended")
    asked = next(line for line in lines if line["event"] == "request_finished" and line.get("user_id"))
    for line in (failed, ended):
        assert line["reply_id"] == answer["assistant_message"]["id"]
        assert line["session_id"] == answer["session_id"]
        assert line["user_id"] == student.pk
        assert line["request_id"] == asked["request_id"]
    assert ended["state"] == "failed"
    assert said
    assert SECRET not in log
    assert said not in log
    assert token not in log
