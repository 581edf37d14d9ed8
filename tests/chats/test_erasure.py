"""Everything about a person can be taken out, and taken away, with nothing of others touched."""

import json
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from chats.models import AccessLog, ChatSession, Citation, Feedback, Message, SearchEntry, Usage
from core.models import ApiToken
from courses.models import Course, Document, Enrollment

SECRET = "unmistakable-words-of-a-student"


@pytest.fixture
def history(student: User, teammate: User, operator: User, course: Course, client: Client) -> None:
    """A student with everything that a person can have here, and a teammate with the same."""
    for person in (student, teammate):
        session = ChatSession.objects.create(user=person, course=course, title=SECRET, description=SECRET)
        question = Message.objects.create(session=session, role="user", content=SECRET, ordinal=1)
        for number in range(2):  # two versions of the answer
            reply = Message.objects.create(
                session=session, parent=question, role="assistant", content=SECRET, ordinal=2, raw='{"a": "\\u0000"}'
            )
            Citation.objects.create(message=reply, marker=1, quote=SECRET, document_title="Notes")
            Feedback.objects.create(message=reply, rating=1 if number else -1, comment=SECRET)
        ChatSession.objects.filter(pk=session.pk).update(head=reply)
        ChatSession.objects.create(user=person, title="put away", deleted_at="2026-01-01T00:00:00Z")
        Usage.objects.create(user=person, course=course, day="2026-01-01", questions=1)
        ApiToken.objects.create(user=person, name="laptop")
        EmailAddress.objects.create(user=person, email=person.email, primary=True)
        Document.objects.create(
            course=course,
            title="Notes",
            file="n",
            file_name="n.md",
            sha256=person.username.ljust(64, "0"),
            uploaded_by=person,
        )
        AccessLog.objects.create(viewer=operator, owner=person, session=session.pk, action="viewed")
        LogEntry.objects.create(
            user=operator,
            content_type=ContentType.objects.get_for_model(User),
            object_id=str(person.pk),
            object_repr=person.username,
            action_flag=CHANGE,
        )
        client.force_login(person)  # leaves a signed-in browser behind
        client.cookies.clear()


def test_purging_leaves_no_trace_of_the_person_in_any_table(history: None, student: User) -> None:
    pk = student.pk
    run("purge_user", "student")
    assert not User.objects.filter(pk=pk).exists()
    assert SearchEntry.objects.filter(user_id=pk).count() == 0
    assert "student" not in list(every_text(without={"auth_group", "courses_enrollment"}))
    assert not [row for row in Session.objects.all() if row.get_decoded().get("_auth_user_id") == str(pk)]


def test_purging_leaves_others_as_they_were(history: None, teammate: User, course: Course) -> None:
    run("purge_user", "student")
    assert ChatSession.objects.filter(user=teammate).count() == 2
    assert Message.objects.count() == 3
    assert Citation.objects.count() == Feedback.objects.count() == 2
    assert ApiToken.objects.get().user == teammate
    assert Enrollment.objects.filter(course=course).count() == 2
    assert SearchEntry.objects.filter(user_id=teammate.pk).exists()


def test_what_others_need_stays_without_the_name(history: None) -> None:
    run("purge_user", "student")
    assert Document.objects.count() == 2
    assert Document.objects.filter(uploaded_by=None).count() == 1
    assert AccessLog.objects.filter(owner=None).count() == 1
    assert sorted(LogEntry.objects.values_list("object_repr", flat=True)) == ["(erased)", "teammate"]


def test_the_receipt_counts_what_went(history: None) -> None:
    receipt = run("purge_user", "student")
    for line in (
        "accounts: 1",
        "conversations: 2",
        "messages: 3",
        "citations: 2",
        "feedbacks: 2",
        "usage: 1",
        "enrolments: 1",
        "API tokens: 1",
        "sign-ins: 1",
        "references anonymised: 3",
    ):
        assert f"  {line}\n" in receipt, receipt


def test_a_dry_run_says_the_same_and_changes_nothing(history: None, student: User) -> None:
    before = run("purge_user", "student", "--dry-run")
    assert User.objects.get(pk=student.pk).is_active
    assert ChatSession.objects.filter(user=student).count() == 2
    after = run("purge_user", "student")
    assert sorted(before.splitlines()[1:]) == sorted(after.splitlines()[1:])


def test_an_export_holds_everything_and_no_secret(history: None, tmp_path: Path) -> None:
    target = tmp_path / "student.json"
    run("export_user", "student", "--output", str(target))
    document = json.loads(target.read_text())
    assert document["account"]["username"] == "student"
    assert len(document["conversations"]) == 2
    said = document["conversations"][0]["messages"]
    assert [message["content"] for message in said] == [SECRET] * 3
    assert said[1]["raw"] == '{"a": "\\u0000"}'
    assert [message["feedback"]["rating"] for message in said[1:]] == [-1, 1]
    assert said[1]["sources"][0]["quote"] == SECRET
    assert document["enrolments"][0]["course"] == "ML101"
    assert document["seen_by_others"][0]["action"] == "viewed"
    assert document["api_tokens"][0]["name"] == "laptop"
    text = target.read_text()
    assert "teammate" not in text
    assert ApiToken.objects.get(user__username="student").digest not in text
    assert User.objects.get(username="student").password not in text
    assert target.stat().st_mode & 0o077 == 0, "others on the machine may not read it"


@pytest.mark.parametrize("command", [["purge_user", "nobody"], ["export_user", "nobody", "--output", "/tmp/x"]])
def test_an_unknown_person_is_named(db: Any, command: list[str]) -> None:
    with pytest.raises(CommandError, match="no account with the name 'nobody'"):
        run(*command)


def test_a_file_that_cannot_be_written_is_said_so(student: User, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Choose another --output"):
        run("export_user", "student", "--output", str(tmp_path / "no" / "such" / "folder"))


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def every_text(*, without: set[str]) -> Iterable[str]:
    """Every text value of every table."""
    with connection.cursor() as cursor:
        for table in set(connection.introspection.table_names(cursor)) - without:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield from (value for value in row if isinstance(value, str))
