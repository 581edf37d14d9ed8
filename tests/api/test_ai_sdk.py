"""The AI SDK's own client, both majors that are in use, against a running site."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from chats.models import ChatSession, Message
from core import tokens
from courses.models import Course, Document, Passage
from tests.fakes.fixtures import ModelServer
from tests.servers import GATED, Site

FOLDER = Path(__file__).parent / "ai_sdk"
# One process for all of them: they install the packages in one folder.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.node, pytest.mark.xdist_group("ai-sdk")]
Drive = Callable[..., Any]


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js with the packages of the lock file."""
    program = shutil.which("node")
    if program is None or shutil.which("npm") is None:
        assert not os.environ.get("CI"), "With CI set, Node.js has to be there."
        pytest.skip("no Node.js: the AI SDK's client was not tried")
    whole = FOLDER / "node_modules" / ".whole"  # npm's own lock file is there before the packages are
    if not whole.exists():
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
        subprocess.run(command, cwd=FOLDER, check=True, timeout=300)
        whole.touch()
    return program


@pytest.fixture(params=["ai", "ai6"])
def drive(request: pytest.FixtureRequest, node: str, student: User, model_server: ModelServer) -> Drive:
    """`drive(site, scenario, **body)` runs a scenario of drive.mjs and returns what it printed."""
    _, secret = tokens.create(user=student, name="ai sdk")

    def run(site: Site, scenario: str, **body: str) -> Any:
        environment = {
            "PATH": os.environ["PATH"],
            "URL": site.url,
            "TOKEN": secret,
            "RELEASE": f"http://127.0.0.1:{model_server.port}/control/release",
            "BODY": json.dumps(body),
        }
        command = [node, "drive.mjs", request.param, scenario]
        done = subprocess.run(
            command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def material(course: Course) -> Course:
    document = Document.objects.create(course=course, title="Lecture 3", file_name="l3.pdf", sha256="1", state="ready")
    text = "Gradient descent takes steps against the gradient. A large learning rate diverges."
    Passage.objects.create(document=document, position=0, text=text, page=3)
    return course


def kinds(message: dict[str, Any]) -> list[str]:
    return [part["type"] for part in message["parts"]]


def text_of(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def test_a_message_arrives_with_its_text_and_sources(model_site: Site, drive: Drive, material: Course) -> None:
    result = drive(model_site, "transport", course_id=str(material.pk), model="cite")
    last = result["last"]
    reply = Message.objects.get(role="assistant")
    assert result["grows"]
    assert (last["id"], last["role"], text_of(last)) == (str(reply.pk), "assistant", reply.content)
    assert last["metadata"]["session_id"] == str(reply.session_id)
    assert last["metadata"]["state"] == "complete"
    assert last["metadata"]["usage"]["completion_tokens"] == reply.completion_tokens
    assert kinds(last)[:3] == ["step-start", "source-document", "data-sources"]
    assert kinds(last).count("data-sources") == 1
    (sources,) = [part["data"] for part in last["parts"] if part["type"] == "data-sources"]
    assert (sources[0]["title"], sources[0]["locator"], sources[0]["cited"]) == ("Lecture 3", {"page": 3}, True)
    assert reply.session.external_id == "a-chat"


def test_a_conversation_goes_on_is_edited_and_answered_anew(model_site: Site, drive: Drive) -> None:
    result = drive(model_site, "conversation")
    assert (result["status"], result.get("error")) == ("ready", None)
    assert [role for role, _ in result["two"]] == ["user", "assistant", "user", "assistant"]
    assert all(text for _, text in result["two"])
    assert len({result["answered"], result["again"], result["third"], result["ended"][-1]["id"]}) == 4
    session = ChatSession.objects.get()
    assert session.external_id == "my-chat"
    questions = Message.objects.filter(session=session, role="user").order_by("id")
    assert [question.content for question in questions] == ["First?", "Second?", "Second, edited?"]
    _, second, edited = questions
    assert second.parent_id == edited.parent_id is not None
    assert Message.objects.filter(parent=second).count() == 3
    assert str(session.head_id) == result["ended"][-1]["id"]
    assert text_of(result["ended"][-2]) == "Second, edited?"


def test_a_page_left_in_mid_stream_resumes_to_the_same_message(
    gated_site: Site, drive: Drive, model_server: ModelServer
) -> None:
    result = drive(gated_site, "rejoin", model=GATED)
    _, reply = result["stored"]
    assert reply["state"] == "complete"
    assert 0 < len(result["partial"]) < len(reply["content"])
    assert result["count"] == 2
    assert text_of(result["joined"][-1]) == reply["content"]
    assert result["joined"][-1]["id"] == reply["id"]
    assert result["idle"] is None
    assert Message.objects.count() == 2


def test_a_stopped_reply_ends_with_an_abort_and_keeps_its_text(gated_site: Site, drive: Drive) -> None:
    result = drive(gated_site, "stop", model=GATED)
    assert result["stopping"] == {"status": "stopping"}
    assert result["status"] == "ready"
    assert result["stored"]["state"] == "stopped"
    assert text_of(result["last"]) == result["stored"]["content"] != ""
    assert result["last"]["metadata"]["state"] == "stopped"


@pytest.mark.parametrize("model", ["stream-error:2", "truncated:3", "wrong-key", "empty"])
def test_a_failure_never_looks_like_success(model_site: Site, drive: Drive, model: str) -> None:
    result = drive(model_site, "failure", model=model)
    assert result["status"] == "error"
    assert result["error"]
    assert Message.objects.get(role="assistant").state == "failed"


def test_a_refusal_says_why(model_site: Site, drive: Drive) -> None:
    result = drive(model_site, "refusal")
    assert result["status"] == "error"
    assert json.loads(result["error"])["code"] == "validation_error"
    assert not ChatSession.objects.exists()


def test_thoughts_come_as_reasoning(model_site: Site, drive: Drive) -> None:
    last = drive(model_site, "reasoning", model="reasoning")["last"]
    reply = Message.objects.get(role="assistant")
    thoughts = [part["text"] for part in last["parts"] if part["type"] == "reasoning"]
    assert "".join(thoughts) == reply.reasoning != ""
    assert text_of(last) == reply.content
    assert kinds(last).index("reasoning") < kinds(last).index("text")


def test_what_is_stored_becomes_messages_again(model_site: Site, drive: Drive, material: Course) -> None:
    result = drive(model_site, "history", course_id=str(material.pk), model="cite")
    assert result["valid"]
    assert result["forModel"] == 2
    assert result["ids"][:2] == result["stored"][:2]
    assert len(result["stored"]) == 4
    assert result["ids"][3] == result["stored"][3]
