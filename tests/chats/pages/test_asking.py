"""Asking without script: ordinary forms, each question once, and no text lost."""

import re
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from chats.models import ChatSession, Message
from courses.models import Course, Lecture

from .conftest import MakeConversation

pytestmark = pytest.mark.django_db


def test_a_question_starts_a_chat_once_however_often_it_is_sent(as_student: Client, course: Course) -> None:
    given = {"course": str(course.pk), "text": "What is bias?", "client_id": str(uuid4())}
    first = as_student.post("/chats", given)
    again = as_student.post("/chats", given)
    assert first["Location"] == again["Location"]
    assert ChatSession.objects.count() == 1
    assert list(Message.objects.order_by("ordinal").values_list("role", "content")) == [
        ("user", "What is bias?"),
        ("assistant", ""),
    ]
    assert "What is bias?" in as_student.get(first["Location"]).content.decode()


def test_a_follow_up_is_asked_once_however_often_it_is_sent(
    as_student: Client, make_conversation: MakeConversation
) -> None:
    session = make_conversation(1)
    given = {"text": "And why?", "client_id": "c-1"}
    for _ in range(2):
        assert as_student.post(f"/chats/{session.pk}/ask", given).status_code == 302
    assert Message.objects.filter(session=session).count() == 4


def test_a_question_during_a_reply_comes_back_with_the_reason(
    as_student: Client, make_conversation: MakeConversation
) -> None:
    session = make_conversation(1)
    as_student.post(f"/chats/{session.pk}/ask", {"text": "first"})
    response = as_student.post(f"/chats/{session.pk}/ask", {"text": "second thought"})
    assert response.status_code == 409
    html = response.content.decode()
    assert re.search(r"<textarea[^>]*>second thought</textarea>", html)
    assert "still answering" in html


@pytest.mark.parametrize("text", ["", "   ", "x" * (settings.MESSAGE_MAX_CHARS + 1)])
def test_what_can_not_be_asked_starts_no_chat_and_is_given_back(as_student: Client, course: Course, text: str) -> None:
    response = as_student.post("/chats", {"course": str(course.pk), "text": text})
    assert response.status_code == 422
    assert text in response.content.decode()
    assert not ChatSession.objects.exists()


@pytest.mark.parametrize(
    "text", ["\x00", "\u202eright to left", "😀", "<script>alert(1)</script>", "> " * 5000, "$" + "x" * 20000]
)
def test_odd_questions_are_kept_and_inert(as_student: Client, course: Course, text: str) -> None:
    response = as_student.post("/chats", {"course": str(course.pk), "text": f"a{text}"}, follow=True)
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()
    assert Message.objects.filter(role="user").count() == 1


def test_nobody_asks_in_a_course_of_others(as_outsider: Client, course: Course) -> None:
    for course_id in (str(course.pk), "nonsense", ""):
        assert as_outsider.post("/chats", {"course": course_id, "text": "Hello?"}).status_code == 404
    assert not ChatSession.objects.exists()


def test_the_page_of_a_new_chat_offers_questions_from_the_lectures(as_student: Client, course: Course) -> None:
    Lecture.objects.create(course=course, number=1, title="Gradient descent")
    html = as_student.get("/chats").content.decode()
    assert "What is the main idea of “Gradient descent”?" in html


def test_who_is_in_no_course_reads_what_to_do(as_outsider: Client, course: Course) -> None:
    html = as_outsider.get("/chats").content.decode()
    assert "Ask your instructor to enrol you" in html
    assert course.title not in html


def test_a_running_reply_is_stopped_by_its_form(as_student: Client, make_conversation: MakeConversation) -> None:
    session = make_conversation(1)
    as_student.post(f"/chats/{session.pk}/ask", {"text": "first"})
    as_student.post(f"/chats/{session.pk}/stop")
    assert Message.objects.get(session=session, ordinal=4).state == "stopped"
    assert "You stopped this answer" in as_student.get(f"/chats/{session.pk}").content.decode()


def test_an_edited_question_and_a_new_answer_stand_beside_the_first_ones(
    as_student: Client, make_conversation: MakeConversation
) -> None:
    session = make_conversation(1)
    question, reply = Message.objects.filter(session=session).order_by("ordinal")
    edit = as_student.get(f"/chats/{session.pk}?edit={question.pk}").content.decode()
    assert re.search(r'<form class="editing" method="post" action="[^"]+/edit"', edit)
    as_student.post(f"/chats/{session.pk}/messages/{question.pk}/edit", {"text": "In other words?"})
    html = as_student.get(f"/chats/{session.pk}").content.decode()
    assert "In other words?" in html
    assert question.content not in html
    assert '<span class="count">2/2</span>' in html
    as_student.post(f"/chats/{session.pk}/stop")
    as_student.post(f"/chats/{session.pk}/branch", {"message": str(question.pk)})
    as_student.post(f"/chats/{session.pk}/messages/{reply.pk}/regenerate")
    assert Message.objects.filter(parent=question, role="assistant").count() == 2


def test_the_front_page_leads_on(client: Client, as_student: Client) -> None:
    assert as_student.get("/")["Location"] == "/chats"
    assert Client().get("/")["Location"] == "/accounts/login/"
