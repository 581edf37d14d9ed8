"""Conversations out and in again: nothing lost, nothing half, nothing of anybody else's."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test.client import MULTIPART_CONTENT, Client

from chats.models import ChatSession, Citation, Feedback, Message
from chats.search import search
from chats.services import branches, exports, history, imports, sessions, turns
from core.errors import Invalid
from courses.models import Course, Document, Passage
from tests.api.conftest import Program
from tests.api.test_errors import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(student: User, course: Course) -> ChatSession:
    """Two branches, a source, a rating, a framework's own item, all kinds of text."""
    session, _ = sessions.create(
        user=student, course_id=course.pk, title="Bias & «variance»", external_id="x1", metadata={"n": 0.1, "b": 2**60}
    )
    rows = [{"role": "user", "content": "What is bias?"}, {"role": "assistant", "content": "An error [1]. 👩‍🔬"}]
    _, (question, reply) = turns.append(user=student, session_id=session.pk, messages=rows, client_id="c1")
    turns.edit(user=student, message_id=question.pk, text="What is variance?", client_id="c2", reply=False)
    document = Document.objects.create(course=course, title="Notes", file_name="n", sha256="1", state="ready")
    passage = Passage.objects.create(document=document, position=0, text="Bias is systematic.", page=3)
    Citation.objects.create(
        message=reply, marker=1, passage=passage, document=document, course=course, quote="q", document_title="Notes",
        page=3, cited=True, score=0.5,
    )  # fmt: skip
    Feedback.objects.create(message=reply, rating=1, comment="Clear.")
    Message.objects.filter(pk=reply.pk).update(raw='{"a": "\\u0000\\ud800"}', raw_format="agno", prompt_tokens=7)
    branches.show(user=student, session_id=session.pk, message_id=reply.pk)
    return ChatSession.objects.get(pk=session.pk)


def without_ids(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its ids numbered in order, and without names that can only be had once."""
    text = json.dumps({**document, "session_id": None, "external_id": None, "client_id": None, "updated_at": None})
    for number, message in enumerate(document["messages"]):
        text = text.replace(message["id"], f"id-{number}")
    found: dict[str, Any] = json.loads(text)
    return found


def test_our_own_format_loses_nothing(api: Program, session: ChatSession) -> None:
    response = api.get(f"/api/sessions/{session.pk}/export")
    assert response["content-disposition"].startswith("attachment")
    document = response.json()
    assert len(document["messages"]) == 3
    session.delete()
    back = api.post("/api/sessions/import", document)
    assert back.status_code == 201
    assert [one["session_id"] for one in back.json()["sessions"]] == [document["session_id"]]
    assert api.get(f"/api/sessions/{document['session_id']}/export").json() == document


def test_imported_beside_the_original_it_is_a_copy(api: Program, session: ChatSession, student: User) -> None:
    document = api.get("/api/sessions/x1/export?format=json").json()
    (copy,) = api.post("/api/sessions/import", document).json()["sessions"]
    assert copy["session_id"] != document["session_id"]
    assert copy["external_id"] is None
    again = api.get(f"/api/sessions/{copy['session_id']}/export").json()
    assert without_ids(again) == without_ids(document)
    assert again["messages"][0]["id"] != document["messages"][0]["id"]
    assert search(user=student, query="bias").total == 2


def test_what_another_may_not_see_is_not_linked(session: ChatSession, outsider: User, teammate: User) -> None:
    document = exports.document(session)
    for user, linked in ((outsider, False), (teammate, True)):
        (made,) = imports.run(user=user, file=io.BytesIO(json.dumps(document).encode()))
        citation = Citation.objects.get(message__session=made)
        assert (made.course is not None, citation.passage is not None, citation.document is not None) == (linked,) * 3
        assert citation.quote == "q"
        assert made.user_id == user.pk


def test_a_stranger_can_export_nothing(stranger: Program, session: ChatSession) -> None:
    for path in (str(session.pk), "x1"):
        refused(stranger.get(f"/api/sessions/{path}/export"), 404, "not_found")
        refused(stranger.get(f"/api/sessions/{path}/export?format=markdown"), 404, "not_found")
    refused(Program().post("/api/sessions/import", {}), 401, "not_authenticated")


def test_markdown_reads_well(api: Program, session: ChatSession) -> None:
    response = api.get(f"/api/sessions/{session.pk}/export?format=markdown")
    assert response["content-type"] == "text/markdown; charset=utf-8"
    text = response.content.decode()
    assert text.startswith("# Bias & «variance»\n\nCourse: ML101 Introduction to Machine Learning")
    assert "## You, " in text
    assert "An error [1]. 👩‍🔬" in text
    assert "- [1] Notes, page 3" in text
    assert "variance?" not in text
    refused(api.get(f"/api/sessions/{session.pk}/export?format=pdf"), 422, "validation_error")


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "imports").glob("*.json")), ids=lambda path: path.stem)
def test_conversations_of_others_come_with_their_branches(api: Program, path: Path) -> None:
    made = api.post("/api/sessions/import", path.read_bytes(), content_type="application/json")
    assert made.status_code == 201, made.content
    one, two = made.json()["sessions"]
    assert one["session_name"] == "Learning rates"
    assert one["metadata"]["imported_from"] == path.stem
    assert one["created_at"].startswith("2023-11-14T22:13:20")
    rows = api.get(f"/api/sessions/{one['session_id']}/messages").json()
    assert [(row["role"], row["content"]) for row in rows] == [
        ("user", "What is a learning rate?"),
        ("assistant", "How far a step goes."),
        ("user", "And if it is too large?"),
        ("assistant", "It diverges."),
    ]
    assert rows[1]["reasoning"] == "They ask for a definition."
    assert rows[1]["model"] == "some-model"
    versions = rows[3]["siblings"]
    assert len(versions) == 2
    shown = api.post(f"/api/sessions/{one['session_id']}/branch", {"message_id": versions[0]})
    assert shown.status_code == 200
    assert api.get(f"/api/sessions/{one['session_id']}/messages").json()[3]["content"] == "It jumps about."
    assert two["message_count"] == 1
    assert api.get("/api/sessions?search=diverges").json()["total"] == 1


def test_a_form_may_carry_the_file(student: User, session: ChatSession) -> None:
    document = json.dumps(exports.document(session))
    lines = SimpleUploadedFile("backup.jsonl", f"{document}\n{document}\n".encode())
    api = Program(student)
    response = Client.post(api, "/api/sessions/import", {"file": lines, "format": "studybuddy"}, MULTIPART_CONTENT)
    assert response.status_code == 201, response.content
    assert len(response.json()["sessions"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"nonsense",
        b'{"format": "studybuddy-session/1"',
        b'{"format": "studybuddy-session/9"}',
        b'[{"mapping": {"a": 5}}]',
        b'[{"mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": [{"text": 5}]}}}}}, 5]',
        b'[{"chat": {"history": {"messages": {"a": []}}}}]',
        b'{"format": "studybuddy-session/1", "messages": [{"id": "a", "role": "king", "state": "complete"}]}',
        b'{"format": "studybuddy-session/1", "messages": [{"role": "user", "state": "complete", "content": 5}]}',
        b'{"format": "studybuddy-session/1", "messages": 5}',
        b'{"format": "studybuddy-session/1", "metadata": {"a": "\\u0000"}}',
        b'{"format": "studybuddy-session/1", "title": "' + b"x" * 201 + b'"}',
        b"\xff\xfe",
        b"[" * 5000,
    ],
)
def test_a_file_that_cannot_be_taken_leaves_nothing(api: Program, body: bytes) -> None:
    response = api.post("/api/sessions/import", body, content_type="application/json")
    refused(response, 422, "validation_error")
    assert not ChatSession.objects.exists()


def test_one_bad_conversation_keeps_all_others_out(api: Program, session: ChatSession) -> None:
    good = exports.document(session)
    twice = {**good, "messages": [{**one, "client_id": "same"} for one in good["messages"]]}
    for bad in ({"format": "studybuddy-session/1", "messages": [{}]}, twice, 5):
        before = ChatSession.objects.count()
        response = api.post("/api/sessions/import", [good, bad])
        assert "onversation 2" in refused(response, 422, "validation_error")["detail"]
        assert ChatSession.objects.count() == before


def test_circles_and_orphans_do_no_harm(student: User) -> None:
    nodes = {
        key: {"parent": parent, "message": {"author": {"role": "user"}, "content": {"parts": [key]}}}
        for key, parent in (("a", "b"), ("b", "a"), ("c", "nowhere"), ("d", "c"), ("e", "e"))
    }
    file = io.BytesIO(json.dumps([{"title": "t", "mapping": nodes, "current_node": "a"}]).encode())
    (made,) = imports.run(user=student, file=file)
    assert [message.content for message in history.page(session=made).messages] == ["c", "d"]


def test_the_commands_back_up_and_restore(session: ChatSession, student: User, tmp_path: Path) -> None:
    sessions.create(user=student, title="Second")
    path = tmp_path / "backup.jsonl"
    before = [exports.document(one, records=True) for one in ChatSession.objects.order_by("pk")]
    call_command("export_sessions", "--user", "student", "--output", str(path), stdout=io.StringIO())
    assert [json.loads(line) for line in path.read_text().splitlines()] == before
    ChatSession.objects.all().delete()
    out = io.StringIO()
    call_command("import_sessions", str(path), "--user", "student", stdout=out)
    assert out.getvalue() == "2 conversations imported for student.\n"
    assert [exports.document(one, records=True) for one in ChatSession.objects.order_by("pk")] == before
    path.write_text(path.read_text() + '{"format": "unknown"}\n')
    with pytest.raises(CommandError, match=r"Nothing was imported\. Conversation 3"):
        call_command("import_sessions", str(path), "--user", "student")
    assert ChatSession.objects.count() == 2
    for wrong in (["export_sessions", "--user", "ghost"], ["export_sessions", "--course", "NONE1"]):
        with pytest.raises(CommandError, match="There is no"):
            call_command(*wrong, "--output", str(path))
    with pytest.raises(CommandError, match="no account"):
        call_command("import_sessions", str(path), "--user", "ghost")


@pytest.mark.parametrize("count", [5, 60])
def test_importing_costs_the_same_however_long(student: User, count: int, django_assert_max_num_queries: Any) -> None:
    nodes = {
        str(number): {
            "parent": str(number - 1),
            "message": {"author": {"role": "user"}, "content": {"parts": [f"text {number}"]}},
        }
        for number in range(count)
    }
    file = io.BytesIO(json.dumps([{"mapping": nodes, "current_node": str(count - 1)}]).encode())
    with django_assert_max_num_queries(12):
        imports.run(user=student, file=file)


def test_an_unknown_format_is_named(student: User) -> None:
    with pytest.raises(Invalid) as error:
        imports.run(user=student, file=io.BytesIO(b"[]"), kind="word")
    assert "format" in error.value.errors
