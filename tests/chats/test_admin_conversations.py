"""What an operator does with conversations: reads (and it is noted), puts away, restores, removes, exports, pins."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from chats.models import AccessLog, ChatSession, Citation, Feedback, Message, ReplyAttempt, Runner
from courses.models import Course

LIST = "admin:chats_chatsession_changelist"
WORDS = "unmistakable words"


@pytest.fixture
def admin(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def reader(outsider: User) -> User:
    """Staff who may see and change conversations, but not read text while it is hidden."""
    outsider.is_staff = True
    outsider.save()
    names = ["view_chatsession", "change_chatsession", "view_message", "view_feedback"]
    outsider.user_permissions.set(Permission.objects.filter(codename__in=names))
    return outsider


@pytest.fixture
def session(student: User, course: Course) -> ChatSession:
    """One question with two answers, the newer failed and shown."""
    made = ChatSession.objects.create(user=student, course=course, title=f"About {WORDS}")
    question = Message.objects.create(
        session=made, role="user", content=f"{WORDS} <script>alert(1)</script>", ordinal=1
    )
    first = Message.objects.create(session=made, parent=question, role="assistant", content="*First* [1]", ordinal=2)
    Citation.objects.create(message=first, marker=1, quote="A passage", document_title="Notes", page=3, cited=True)
    Feedback.objects.create(message=first, rating=-1, comment=f"{WORDS} rating")
    second = Message.objects.create(
        session=made,
        parent=question,
        role="assistant",
        state="failed",
        error_code="provider_error",
        error_message="The model did not answer.",
        ordinal=2,
        model="m",
        prompt_tokens=1000,
        completion_tokens=500,
    )
    prompt = json.dumps([{"role": "user", "content": f"{WORDS}, said with \0"}])
    ReplyAttempt.objects.create(
        reply=second, attempt=1, runner=Runner(host="h", pid=1).pk, request_id="req-77", prompt=prompt, outcome="failed"
    )
    ChatSession.objects.filter(pk=made.pk).update(head=second)
    made.refresh_from_db()
    return made


def test_a_transcript_shows_branches_errors_sources_and_thumbs(admin: Client, session: ChatSession) -> None:
    first = Message.objects.get(content__startswith="*First*")
    shown = page(admin, "chatsession", session)
    assert "provider_error" in shown
    assert "version 2 of 2" in shown
    assert f"?branch={first.pk}" in shown
    other = page(admin, "chatsession", session, branch=str(first.pk))
    assert "<em>First</em>" in other
    assert "Notes, page 3" in other
    assert "Rated down" in other


def test_what_a_student_wrote_is_inert_in_the_admin(admin: Client, session: ChatSession) -> None:
    assert "<script>alert" not in page(admin, "chatsession", session)


def test_reading_is_noted_and_superusers_see_who(admin: Client, operator: User, session: ChatSession) -> None:
    page(admin, "chatsession", session)
    note = AccessLog.objects.get()
    assert (note.viewer, note.owner, note.session, note.action) == (operator, session.user, session.pk, "viewed")
    assert str(session.pk) in admin.get(reverse("admin:chats_accesslog_changelist")).content.decode()


def test_reading_ones_own_conversation_is_not_noted(admin: Client, operator: User) -> None:
    page(admin, "chatsession", ChatSession.objects.create(user=operator))
    assert not AccessLog.objects.exists()


def test_hidden_text_is_hidden_on_every_page(
    client: Client, reader: User, session: ChatSession, settings: Settings
) -> None:
    settings.HIDE_MESSAGE_TEXT = True
    client.force_login(reader)
    failed = Message.objects.get(state="failed")
    pages = [
        page(client, "chatsession", session),
        page(client, "message", failed),
        client.get(reverse(LIST)).content.decode(),
        client.get(reverse("admin:chats_feedback_changelist")).content.decode(),
        client.get(reverse("admin:chats_feedback_change", args=[Feedback.objects.get().pk])).content.decode(),
    ]
    for number, text in enumerate(pages):
        assert WORDS not in text, number
    assert client.get(reverse(LIST), {"q": WORDS}).context["cl"].result_count == 0, "a search would tell"
    assert not AccessLog.objects.filter(text_shown=True).exists()
    reader.user_permissions.add(Permission.objects.get(codename="view_message_text"))
    client.force_login(User.objects.get(pk=reader.pk))
    assert WORDS in page(client, "chatsession", session)


def test_hidden_text_cannot_be_exported(client: Client, reader: User, session: ChatSession, settings: Settings) -> None:
    settings.HIDE_MESSAGE_TEXT = True
    client.force_login(reader)
    assert "attachment" not in act(client, "export", session).get("Content-Disposition", "")


def test_putting_away_and_restoring(admin: Client, session: ChatSession) -> None:
    act(admin, "put_away", session)
    assert state_of(session).deleted_at is not None
    act(admin, "bring_back", session)
    assert state_of(session).deleted_at is None


def test_pinning_and_unpinning(admin: Client, session: ChatSession) -> None:
    act(admin, "pin", session)
    assert state_of(session).pinned_at is not None
    act(admin, "unpin", session)
    assert state_of(session).pinned_at is None


def test_deleting_permanently_first_lists_exactly_what_goes(admin: Client, session: ChatSession) -> None:
    shown = act(admin, "delete_permanently", session).content.decode()
    for line in ("1 conversations", "3 messages", "1 citations", "1 feedbacks", "1 reply attempts"):
        assert f"<li>{line}</li>" in shown, line
    assert ChatSession.objects.exists()
    act(admin, "delete_permanently", session, confirmed="yes")
    assert not ChatSession.objects.exists()
    assert not Message.objects.exists()
    assert AccessLog.objects.filter(action="erased", session=session.pk).exists()


def test_who_may_not_delete_is_not_offered_it(client: Client, reader: User, session: ChatSession) -> None:
    client.force_login(reader)
    act(client, "delete_permanently", session, confirmed="yes")
    assert ChatSession.objects.exists()
    answer = client.post(reverse("admin:chats_chatsession_delete", args=[session.pk]), {"confirmed": "yes"})
    assert answer.status_code == 403


def test_an_export_has_a_line_for_each_conversation_and_is_noted(admin: Client, session: ChatSession) -> None:
    answer = act(admin, "export", session)
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert [len(json.loads(line)["messages"]) for line in lines] == [3]
    assert AccessLog.objects.get().action == "exported"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "student"}, 1),
        ({"q": "student@example.org"}, 1),
        ({"q": "unmistakable"}, 1),
        ({"q": "First"}, 1),
        ({"q": "nobody said this"}, 0),
        ({"q": "\"' & | ! :* ( \\"}, 0),
        ({"q": "teammate"}, 0),
        ({"errors": "yes"}, 1),
        ({"rated": "yes"}, 1),
        ({"pinned": "yes"}, 0),
        ({"state": "active"}, 1),
        ({"state": "deleted"}, 0),
        ({"state": "archived"}, 0),
    ],
)
def test_conversations_are_found(admin: Client, session: ChatSession, query: dict[str, str], found: int) -> None:
    assert admin.get(reverse(LIST), query).context["cl"].result_count == found


def test_a_conversation_is_found_by_its_id_and_by_that_of_a_message(admin: Client, session: ChatSession) -> None:
    for key in (session.pk, session.head_id):
        assert admin.get(reverse(LIST), {"q": str(key)}).context["cl"].result_count == 1


def test_the_turn_inspector_explains_a_reply(admin: Client, session: ChatSession, settings: Settings) -> None:
    settings.MODEL_PRICES = {"m": [1.0, 2.0]}
    shown = page(admin, "message", Message.objects.get(state="failed"))
    for text in ("req-77", "provider_error", "Prompt as it was sent", "$0.002000", "asked", WORDS):
        assert text in shown, text


def test_a_failed_reply_is_tried_again(admin: Client, session: ChatSession) -> None:
    failed = Message.objects.get(state="failed")
    act(admin, "requeue", failed, model="message")
    failed.refresh_from_db()
    assert (failed.state, failed.error_code) == ("queued", "")


def test_a_reply_that_something_followed_is_not_tried_again(admin: Client, session: ChatSession) -> None:
    failed = Message.objects.get(state="failed")
    Message.objects.create(session=session, parent=failed, role="user", content="And?", ordinal=3)
    act(admin, "requeue", failed, model="message")
    failed.refresh_from_db()
    assert failed.state == "failed"


def test_running_replies_are_listed_and_can_be_stopped(admin: Client, session: ChatSession) -> None:
    reply = Message.objects.create(session=session, role="assistant", state="queued", ordinal=3)
    Runner.objects.create(host="web-1", pid=7, heartbeat_at=timezone.now())
    url = reverse("admin:chats_message_running")
    shown = admin.get(url).content.decode()
    assert str(reply.pk) in shown
    assert "web-1" in shown
    admin.post(url, {"reply": str(reply.pk)})
    reply.refresh_from_db()
    assert reply.state == "stopped"


def test_a_reply_that_does_not_exist_cannot_be_stopped(admin: Client, session: ChatSession) -> None:
    for reply in ("", "x", str(session.pk)):
        assert admin.post(reverse("admin:chats_message_running"), {"reply": reply}).status_code == 302


def page(client: Client, model: str, row: Any, **query: str) -> str:
    answer = client.get(reverse(f"admin:chats_{model}_change", args=[row.pk]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def act(client: Client, action: str, row: Any, model: str = "chatsession", **more: str) -> Any:
    data = {"action": action, "_selected_action": str(row.pk), **more}
    return client.post(reverse(f"admin:chats_{model}_changelist"), data)


def state_of(session: ChatSession) -> ChatSession:
    return ChatSession.objects.get(pk=session.pk)
