"""Instructors learn what their course asks, and nothing of what fewer than five students share."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from chats.models import ChatSession, Citation, Feedback, Message
from courses.models import Course, Document, Enrollment, Lecture


@pytest.fixture
def teacher(client: Client, instructor: User, course: Course) -> Client:
    client.force_login(instructor)
    return client


def test_what_five_students_share_is_shown(teacher: Client, course: Course) -> None:
    for number in range(5):
        ask(course, f"What is gradient descent, and why {number}?")
    shown = insight(teacher, course)
    assert "gradient descent" in shown
    assert "5 questions by 5 students" in shown


def test_what_four_students_share_is_not(teacher: Client, course: Course) -> None:
    for number in range(4):
        ask(course, f"Why does my kernel explode? {number}")
    ask(course, "Something else entirely")
    shown = insight(teacher, course)
    assert "5 questions by 5 students" in shown
    assert "kernel" not in shown


def test_one_student_who_asks_ten_times_is_one_student(teacher: Client, course: Course) -> None:
    person = User.objects.create_user("eager")
    for _ in range(10):
        ask(course, "My very own kernel question", person=person)
    shown = insight(teacher, course)
    assert "Fewer than 5 students" in shown
    assert "kernel" not in shown


def test_no_name_and_no_whole_question_is_shown(teacher: Client, course: Course) -> None:
    for number in range(6):
        ask(course, f"Describe clustering to me, says person number {number} of six", down="It is wrong")
    shown = insight(teacher, course)
    assert "asker-" not in shown
    assert "says person number" not in shown
    assert "It is wrong" not in shown


def test_questions_are_counted_by_the_lecture_that_answers_them(teacher: Client, course: Course) -> None:
    lecture = Lecture.objects.create(course=course, number=3, title="Regularisation")
    document = Document.objects.create(
        course=course, lecture=lecture, title="Notes three", file="x", file_name="x", sha256="0" * 64
    )
    for _ in range(5):
        ask(course, "What is ridge?", cites=document)
    shown = insight(teacher, course)
    assert "3. Regularisation" in shown
    unanswered = shown.partition("Not answered by the material")[2].partition("Rated down")[0]
    assert "ridge" not in unanswered


def test_questions_without_an_answer_in_the_material_are_gathered(teacher: Client, course: Course) -> None:
    for _ in range(5):
        ask(course, "When is the exam?")
    assert "exam" in insight(teacher, course).partition("Not answered by the material")[2]


def test_documents_in_answers_rated_down_are_named(teacher: Client, course: Course) -> None:
    document = Document.objects.create(course=course, title="Notes nine", file="x", file_name="x", sha256="1" * 64)
    for _ in range(5):
        ask(course, "What is ridge?", cites=document, down="no")
    assert "Notes nine" in insight(teacher, course).partition("Rated down")[2]


def test_a_student_who_agreed_is_named(teacher: Client, course: Course) -> None:
    person = User.objects.create_user("willing")
    ask(course, "Why?", person=person, down="Not helpful")
    Enrollment.objects.filter(user=person).update(share_name=True)
    shown = insight(teacher, course)
    assert "willing" in shown
    assert "Not helpful" in shown


def test_old_questions_and_those_of_instructors_do_not_count(teacher: Client, course: Course, instructor: User) -> None:
    for _ in range(4):
        ask(course, "What is ridge?")
    ask(course, "What is ridge?", person=instructor, role="instructor")
    old = ask(course, "What is ridge?")
    Message.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert "Fewer than 5 students" in insight(teacher, course)


def test_what_a_student_wrote_is_inert(teacher: Client, course: Course) -> None:
    person = User.objects.create_user("willing")
    ask(course, "<script>alert(1)</script>", person=person, down="<img src=x>")
    Enrollment.objects.filter(user=person).update(share_name=True)
    shown = insight(teacher, course)
    assert "<script>" not in shown
    assert "<img" not in shown


def test_the_number_of_queries_does_not_grow_with_the_questions(
    teacher: Client, course: Course, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        ask(course, f"What is ridge {number}?", down="no")
    with django_assert_max_num_queries(14):
        insight(teacher, course)


def test_it_is_for_the_courses_instructors(
    client: Client, course: Course, student: User, outsider: User, operator: User
) -> None:
    url = reverse("chats:course-insight", args=[course.pk])
    assert client.get(url).status_code == 302
    client.force_login(student)
    assert client.get(url).status_code == 403
    for stranger in (outsider, operator):
        client.force_login(stranger)
        assert client.get(url).status_code == 404


def test_the_courses_page_offers_it_to_instructors_only(teacher: Client, course: Course, student: User) -> None:
    url = reverse("chats:course-insight", args=[course.pk])
    assert url in teacher.get(f"/courses/{course.pk}").content.decode()
    teacher.force_login(student)
    assert url not in teacher.get(f"/courses/{course.pk}").content.decode()


def ask(
    course: Course,
    text: str,
    *,
    person: User | None = None,
    role: str = "student",
    cites: Document | None = None,
    down: str = "",
) -> Message:
    """A question in the course and its answer; by a new student unless a person is named."""
    person = person or User.objects.create_user(f"asker-{User.objects.count()}")
    Enrollment.objects.get_or_create(course=course, user=person, defaults={"role": role})
    session = ChatSession.objects.create(user=person, course=course)
    question = Message.objects.create(session=session, role="user", content=text, ordinal=1)
    reply = Message.objects.create(session=session, parent=question, role="assistant", content="So.", ordinal=2)
    if cites:
        Citation.objects.create(
            message=reply, marker=1, quote="q", document=cites, course=course, document_title=cites.title, cited=True
        )
    if down:
        Feedback.objects.create(message=reply, rating=-1, comment=down)
    return question


def insight(client: Client, course: Course) -> str:
    answer = client.get(reverse("chats:course-insight", args=[course.pk]))
    assert answer.status_code == 200
    return answer.content.decode()
