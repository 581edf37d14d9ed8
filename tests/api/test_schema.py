"""The API's description is whole, and the running site keeps to it whatever it is sent."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import get_resolver

from chats.services import sessions, turns
from core import tokens
from courses.models import Course, Document, Lecture
from tests.servers import Site, running_site

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once_with_postgres]
# Limits are tried elsewhere; here they would hide what is behind them.
UNLIMITED = {f"THROTTLE_{kind}": "1000000/min" for kind in ("SEND", "UPLOAD", "SIGNIN", "OTHER")}
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def schema_site(transactional_db: Any, tmp_path: Path) -> Any:
    with running_site(tmp_path, **UNLIMITED) as site:
        yield site
        assert "Traceback" not in site.log.read_text(), site.log.read_text()


@pytest.fixture
def rows(instructor: User, course: Course) -> dict[str, str]:
    """Something for each parameter of a path to name."""
    session, _ = sessions.create(user=instructor, course_id=course.pk, title="A chat")
    texts = [{"role": "user", "content": "What is bias?"}, {"role": "assistant", "content": "An error."}]
    _, added = turns.append(user=instructor, session_id=session.pk, messages=texts)
    lecture = Lecture.objects.create(course=course, number=1, title="One")
    document = Document.objects.create(course=course, lecture=lecture, title="d", file_name="d.md", sha256="1")
    return {
        "session_id": str(session.pk),
        "message_id": str(added[0].pk),
        "course_id": str(course.pk),
        "document_id": str(document.pk),
        "username": "student",
    }


def explore(site: Site, folder: Path, parameters: dict[str, str], *options: str) -> None:
    """Let schemathesis try the site on all checks; fail with what it found."""
    config = folder / "schemathesis.toml"
    named = [f'"path.{name}" = "{value}"' for name, value in parameters.items()]
    # What is right by its type may still name nothing, or hold text that can't be stored: a 422 as well.
    refusals = (
        "[checks]\npositive_data_acceptance.expected-statuses = [200, 201, 202, 204, 401, 403, 404, 409, 422, 429]"
    )
    config.write_text("\n".join(["[parameters]", *named, refusals]))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{site.url}/api/schema"),
        *("--checks", "all", "--continue-on-failure", "--seed", "1", "--generation-database", "none", "--no-color"),
        *options,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]


def test_the_running_site_keeps_to_its_description(
    schema_site: Site, tmp_path: Path, instructor: User, rows: dict[str, str]
) -> None:
    _, secret = tokens.create(user=instructor)
    bearer = ("--header", f"Authorization: Bearer {secret}")
    # It would end its own token.
    whole = ("--exclude-path-regex", "/logout", "--phases", "examples,coverage,fuzzing", "--max-examples", "5")
    explore(schema_site, tmp_path, rows, *bearer, *whole)
    explore(schema_site, tmp_path, {}, *bearer, "--include-path-regex", "/logout", "--phases", "fuzzing")


def test_without_a_token_it_does_so_too(schema_site: Site, tmp_path: Path, rows: dict[str, str]) -> None:
    explore(schema_site, tmp_path, rows, "--phases", "examples,fuzzing", "--max-examples", "2")


def test_the_description_has_no_gaps(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yaml"))


def test_every_operation_has_a_summary_and_an_example(client: Any) -> None:
    schema = client.get("/api/schema", headers={"accept": "application/vnd.oai.openapi+json"}).json()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["tags"] != ["other"], where
            for body in (operation.get("requestBody") or {}).get("content", {}).items():
                assert body[0] == "multipart/form-data" or body[1].get("examples"), where
            good = {status: answer for status, answer in operation["responses"].items() if status < "204"}
            assert any("examples" in kind for answer in good.values() for kind in answer["content"].values()), where


def test_every_address_is_described(client: Any) -> None:
    schema = client.get("/api/schema", headers={"accept": "application/vnd.oai.openapi+json"}).json()
    described = {re.sub(r"{\w+}", "{}", path) for path in schema["paths"]}
    routes = {
        "/" + re.sub(r"<\w+:\w+>", "{}", str(one))
        for one in _routes(get_resolver().url_patterns)
        if str(one).startswith("api/") and not str(one).endswith("/")
    }
    undescribed = {"/api/schema", "/api/docs", "/api/redoc", "/api/redoc/script.js"}
    assert routes - undescribed == described


def _routes(patterns: Any, prefix: str = "") -> Any:
    for one in patterns:
        route = prefix + str(one.pattern)
        if hasattr(one, "url_patterns"):
            yield from _routes(one.url_patterns, route)
        elif "^" not in route:
            yield route


def test_the_stream_is_described(client: Any) -> None:
    schema = client.get("/api/schema", headers={"accept": "application/vnd.oai.openapi+json"}).json()
    answer = schema["paths"]["/api/agent/chat"]["post"]["responses"]["200"]
    assert set(answer["content"]) == {"text/event-stream", "application/json"}
    assert "text-delta" in str(answer)


def test_the_description_is_there_for_everybody(schema_site: Site) -> None:
    for path in ("/api/schema", "/api/docs", "/api/redoc"):
        assert httpx.get(f"{schema_site.url}{path}").status_code == 200
