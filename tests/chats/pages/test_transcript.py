"""A conversation's page: its newest messages at once, older ones on demand, and only for its owner."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chats.models import ChatSession, Citation, Message
from courses.models import Course, Document, Enrollment, Passage

from .conftest import MakeConversation

pytestmark = pytest.mark.django_db


def shown_ordinals(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'data-ordinal="(\d+)"', html)]


def test_shows_the_newest_fifty_and_links_to_the_older(as_student: Client, make_conversation: MakeConversation) -> None:
    session = make_conversation(40)
    html = as_student.get(f"/chats/{session.pk}").content.decode()
    assert shown_ordinals(html) == list(range(31, 81))
    older = re.search(r'href="(\?before=[^"]+)"', html)
    assert older is not None
    fragment = as_student.get(f"/chats/{session.pk}{older[1]}", headers={"HX-Request": "true"}).content.decode()
    assert shown_ordinals(fragment) == list(range(1, 31))
    assert "<html" not in fragment
    assert "before=" not in fragment


def test_the_same_queries_for_fifty_and_for_two_thousand_messages(
    as_student: Client, make_conversation: MakeConversation, django_assert_num_queries: object
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for turns in (25, 1000):
        session = make_conversation(turns)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = as_student.get(f"/chats/{session.pk}")
        assert len(shown_ordinals(response.content.decode())) == 50
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_another_persons_conversation_is_not_there(
    as_outsider: Client, make_conversation: MakeConversation, teammate: User
) -> None:
    session = make_conversation(1)
    message = Message.objects.filter(session=session, role="assistant").get()
    teammate_client = Client()
    teammate_client.force_login(teammate)
    for client in (as_outsider, teammate_client):
        for path in ("", f"/messages/{message.pk}", f"/messages/{message.pk}/sources"):
            assert client.get(f"/chats/{session.pk}{path}").status_code == 404


def test_who_is_no_longer_enrolled_does_not_see_it(
    as_student: Client, make_conversation: MakeConversation, student: User, course: Course
) -> None:
    session = make_conversation(1)
    Enrollment.objects.filter(user=student, course=course).delete()
    assert as_student.get(f"/chats/{session.pk}").status_code == 404


def test_an_anonymous_visitor_is_sent_to_sign_in_and_back(client: Client, make_conversation: MakeConversation) -> None:
    session = make_conversation(1)
    response = client.get(f"/chats/{session.pk}")
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next=/chats/{session.pk}"
    assert client.get(f"/chats/{session.pk}", headers={"HX-Request": "true"}).status_code == 401


def test_what_people_and_models_write_is_inert(as_student: Client, make_conversation: MakeConversation) -> None:
    session = make_conversation(1, text="<script>alert(1)</script><img src=x onerror=alert(1)> ", title="<b>bold</b>")
    html = as_student.get(f"/chats/{session.pk}").content.decode()
    assert "<script>alert" not in html
    assert not re.search(r"<img[^>]*onerror", html)
    assert "<b>bold</b>" not in html
    assert "&lt;b&gt;bold&lt;/b&gt;" in html


def test_an_older_message_is_shown_where_a_search_leads(
    as_student: Client, make_conversation: MakeConversation
) -> None:
    session = make_conversation(60)
    early = Message.objects.get(session=session, ordinal=10)
    html = as_student.get(f"/chats/{session.pk}?at={early.pk}").content.decode()
    assert shown_ordinals(html) == list(range(1, 11))
    assert "Go to the latest" in html


def test_a_message_that_is_not_in_the_conversation_is_404(
    as_student: Client, make_conversation: MakeConversation
) -> None:
    session, other = make_conversation(1), make_conversation(1)
    stranger = Message.objects.filter(session=other).first()
    assert stranger is not None
    assert as_student.get(f"/chats/{session.pk}?before={stranger.pk}").status_code == 404
    assert as_student.get(f"/chats/{session.pk}?at=nonsense").status_code == 404


@pytest.fixture
def answered(make_conversation: MakeConversation, course: Course) -> Message:
    """A reply that cites the second of three passages, and was given the first as well."""
    session = make_conversation(1)
    reply = Message.objects.get(session=session, role="assistant")
    Message.objects.filter(pk=reply.pk).update(content="It may diverge [2], not [7].")
    document = Document.objects.create(
        course=course, title="Lecture notes", file="a", file_name="a.md", sha256="0" * 64
    )
    for position, text in enumerate(["Before it.", "Too large a step diverges.", "After it."]):
        passage = Passage.objects.create(document=document, position=position, text=text, page=position + 1)
        if position < 2:
            Citation.objects.create(
                message=reply,
                marker=position + 1,
                passage=passage,
                document=document,
                course=course,
                cited=position == 1,
                quote=text,
                document_title=document.title,
                page=position + 1,
            )
    return reply


def test_a_cited_source_is_linked_listed_and_shown_in_its_surroundings(as_student: Client, answered: Message) -> None:
    html = as_student.get(f"/chats/{answered.session_id}").content.decode()
    chips = re.findall(r'<a class="citation"[^>]*data-marker="(\d+)"', html)
    assert chips == ["2"], "a number that the model invented is no link"
    listed = re.search(r'<ol class="sources">(.*?)</ol>', html, re.DOTALL)
    assert listed is not None
    assert re.findall(r'data-marker="(\d+)"', listed[1]) == ["2"], "what was not used is not shown as cited"
    assert "Lecture notes · page 2" in listed[1]
    panel = as_student.get(f"/chats/{answered.session_id}/messages/{answered.pk}/sources").content.decode()
    assert re.search(
        r"Before it\..*<blockquote.*>Too large a step diverges\.<.*</blockquote>.*After it\.", panel, re.DOTALL
    )


def test_a_removed_source_keeps_its_quote_and_says_so(as_student: Client, answered: Message) -> None:
    Document.objects.all().delete()
    panel = as_student.get(f"/chats/{answered.session_id}/messages/{answered.pk}/sources").content.decode()
    assert "Too large a step diverges." in panel
    assert "was removed from the course" in panel
    assert as_student.get(f"/chats/{answered.session_id}").status_code == 200


def test_a_running_reply_makes_a_page_without_script_ask_again(
    as_student: Client, make_conversation: MakeConversation
) -> None:
    session = make_conversation(1)
    assert '<meta http-equiv="refresh"' not in as_student.get(f"/chats/{session.pk}").content.decode()
    Message.objects.filter(session=session, role="assistant").update(state="queued")
    html = as_student.get(f"/chats/{session.pk}").content.decode()
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in html
    assert 'aria-busy="true"' in html


def test_a_failed_reply_says_why_and_offers_another_try(
    as_student: Client, make_conversation: MakeConversation
) -> None:
    session = make_conversation(1)
    Message.objects.filter(session=session, role="assistant").update(
        state="failed", error_code="timeout", error_message="The model took too long."
    )
    html = as_student.get(f"/chats/{session.pk}").content.decode()
    assert "The model took too long." in html
    assert "Try again" in html


def test_a_deleted_conversation_is_not_there(as_student: Client, make_conversation: MakeConversation) -> None:
    session: ChatSession = make_conversation(1)
    assert as_student.post(f"/chats/{session.pk}/delete").status_code == 302
    assert as_student.get(f"/chats/{session.pk}").status_code == 404
