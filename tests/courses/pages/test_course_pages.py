"""The courses' pages: what there is to read, for whom."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from courses.models import Course, Document, Lecture

pytestmark = pytest.mark.django_db


@pytest.fixture
def lecture(course: Course) -> Lecture:
    made: Lecture = Lecture.objects.create(course=course, number=3, title="Regularisation")
    for title, state in (("Notes", "ready"), ("Broken scan", "failed"), ("Slides", "processing")):
        Document.objects.create(
            course=course,
            lecture=made,
            title=title,
            state=state,
            file="x",
            file_name="x",
            sha256=title.ljust(64, "0"),
            error="no text: needs OCR" if state == "failed" else "",
        )
    return made


def page(user: User, path: str) -> str:
    client = Client()
    client.force_login(user)
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_a_student_sees_lectures_and_what_can_be_read(student: User, lecture: Lecture) -> None:
    html = page(student, f"/courses/{lecture.course_id}")
    assert "Regularisation" in html
    assert "Notes" in html
    assert "Broken scan" not in html
    assert 'type="file"' not in html
    assert "Ask about this course" in html


def test_an_instructor_sees_each_files_state_and_what_is_wrong_with_it(instructor: User, lecture: Lecture) -> None:
    html = page(instructor, f"/courses/{lecture.course_id}")
    assert "no text: needs OCR" in html
    assert "Being read" in html
    assert 'hx-trigger="every 2s"' in html
    lecture.documents.filter(state="processing").update(pages_done=3, page_count=10)
    assert "Being read: 3 of 10" in page(instructor, f"/courses/{lecture.course_id}/material")


def test_the_list_holds_only_ones_own_courses(student: User, outsider: User, course: Course) -> None:
    Course.objects.create(code="SECRET", title="Somebody else's")
    html = page(student, "/courses")
    assert course.title in html
    assert "Somebody else" not in html
    assert "No courses yet" in page(outsider, "/courses")


@pytest.mark.parametrize("path", ["", "/material"])
def test_an_outsider_finds_no_course(outsider: User, course: Course, path: str) -> None:
    client = Client()
    client.force_login(outsider)
    assert client.get(f"/courses/{course.pk}{path}").status_code == 404
    client.logout()
    assert client.get(f"/courses/{course.pk}{path}")["Location"].startswith("/accounts/login/")
