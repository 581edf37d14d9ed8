"""What one can change from a conversation's page, as ordinary forms; a stranger can change nothing."""

import pytest
from django.test import Client

from chats.models import ChatSession, Feedback, Message

from .conftest import MakeConversation

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(make_conversation: MakeConversation) -> ChatSession:
    return make_conversation(1)


@pytest.fixture
def reply(session: ChatSession) -> Message:
    found: Message = Message.objects.get(session=session, role="assistant")
    return found


def test_a_title_is_changed(as_student: Client, session: ChatSession) -> None:
    response = as_student.post(f"/chats/{session.pk}/rename", {"title": " Steps and valleys "})
    assert response["Location"] == f"/chats/{session.pk}"
    assert "Steps and valleys</h1>" in as_student.get(f"/chats/{session.pk}").content.decode()


def test_a_deleted_chat_can_be_brought_back_from_the_page_that_follows(
    as_student: Client, session: ChatSession
) -> None:
    page = as_student.post(f"/chats/{session.pk}/delete", follow=True).content.decode()
    assert f'action="/chats/{session.pk}/restore"' in page
    assert as_student.post(f"/chats/{session.pk}/restore").status_code == 302
    assert as_student.get(f"/chats/{session.pk}").status_code == 200


def test_an_archived_chat_is_found_in_the_archive(as_student: Client, session: ChatSession) -> None:
    as_student.post(f"/chats/{session.pk}/archive", {"on": "1"})
    assert f"/chats/{session.pk}" in as_student.get("/chats/archive").content.decode()
    as_student.post(f"/chats/{session.pk}/archive", {"on": "0"})
    assert f"/chats/{session.pk}/archive" not in as_student.get("/chats/archive").content.decode()


def test_pinning_lasts_until_it_is_taken_back(as_student: Client, session: ChatSession) -> None:
    as_student.post(f"/chats/{session.pk}/pin", {"on": "1"})
    assert "<h2>Pinned</h2>" in as_student.get("/chats").content.decode()
    as_student.post(f"/chats/{session.pk}/pin", {"on": "0"})
    assert "<h2>Pinned</h2>" not in as_student.get("/chats").content.decode()


def test_a_reply_is_rated_with_a_comment_and_the_rating_taken_back(as_student: Client, reply: Message) -> None:
    address = f"/chats/{reply.session_id}/messages/{reply.pk}/feedback"
    as_student.post(address, {"rating": "-1", "comment": "Lecture 3 says otherwise."})
    assert (Feedback.objects.get().rating, Feedback.objects.get().comment) == (-1, "Lecture 3 says otherwise.")
    as_student.post(address, {"rating": "0"})
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("rating", ["", "5", "x", "\x00", "9" * 5000])
def test_what_is_no_rating_is_refused_in_words(as_student: Client, reply: Message, rating: str) -> None:
    address = f"/chats/{reply.session_id}/messages/{reply.pk}/feedback"
    assert as_student.post(address, {"rating": rating}, headers={"HX-Request": "true"}).status_code == 422


def test_versions_are_numbered_and_one_moves_between_them(as_student: Client, reply: Message) -> None:
    second = Message.objects.create(
        session=reply.session, parent=reply.parent, role="assistant", ordinal=2, content="A better answer."
    )
    html = as_student.get(f"/chats/{reply.session_id}").content.decode()
    assert '<span class="count">1/2</span>' in html
    as_student.post(f"/chats/{reply.session_id}/branch", {"message": str(second.pk)})
    html = as_student.get(f"/chats/{reply.session_id}").content.decode()
    assert "A better answer." in html
    assert '<span class="count">2/2</span>' in html


@pytest.mark.parametrize(
    "action",
    [
        "ask",
        "stop",
        "rename",
        "pin",
        "archive",
        "delete",
        "restore",
        "branch",
        "messages/{m}/edit",
        "messages/{m}/regenerate",
        "messages/{m}/feedback",
    ],
)
def test_a_stranger_changes_nothing(as_outsider: Client, reply: Message, action: str) -> None:
    before = (ChatSession.objects.values().get(), list(Message.objects.order_by("id").values()))
    given = {"text": "x", "title": "x", "on": "1", "message": str(reply.pk), "rating": "1"}
    address = f"/chats/{reply.session_id}/{action.format(m=reply.pk)}"
    assert as_outsider.post(address, given).status_code == 404
    assert (ChatSession.objects.values().get(), list(Message.objects.order_by("id").values())) == before
    assert not Feedback.objects.exists()
    assert as_outsider.get(address).status_code == 405


def test_a_form_without_its_token_is_refused_with_a_page_that_says_what_to_do(session: ChatSession) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(session.user)
    response = client.post(f"/chats/{session.pk}/delete")
    assert response.status_code == 403
    assert "reload the page" in response.content.decode()
    assert client.get(f"/chats/{session.pk}").status_code == 200
