"""Lists take as many queries for many rows as for one."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from courses.models import Course, Document, Enrollment, Lecture, Passage
from tests.api.conftest import Program

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowded(course: Course) -> Any:
    """`crowded(n)` adds n of everything that is listed of the course."""

    def add(count: int) -> None:
        for number in range(count):
            person = User.objects.create_user(f"person-{Enrollment.objects.count()}-{number}")
            Enrollment.objects.create(course=course, user=person)
            lecture = Lecture.objects.create(course=course, number=Lecture.objects.count() + 1, title="Descent")
            document = Document.objects.create(
                course=course, lecture=lecture, title="Notes", file_name="n.md", state="ready",
                sha256=f"{Document.objects.count():064}",
            )  # fmt: skip
            Passage.objects.create(document=document, position=0, text=f"Gradient descent, step {number}.")
            other = Course.objects.create(code=f"C{Course.objects.count()}", title="C", daily_token_quota=5)
            for known in ("instructor", "student"):
                Enrollment.objects.create(course=other, user=User.objects.get(username=known))

    return add


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/courses", 3),
        ("/api/courses/{course}", 2),
        ("/api/courses/{course}/lectures", 3),
        ("/api/courses/{course}/documents", 5),
        ("/api/courses/{course}/enrolments", 5),
        ("/api/courses/{course}/passages?q=gradient", 6),
        ("/api/usage", 5),
        ("/api/auth/tokens", 2),
    ],
)
def test_a_list_costs_the_same_however_long(
    crowded: Any, course: Course, instructor: User, path: str, most: int
) -> None:
    api = Program(instructor)
    path = path.format(course=course.pk)
    crowded(1)
    api.get(path)  # notes when the token was last used, once a while
    crowded(1)  # what is kept of a course from one search to the next is new both times
    few = queries(api, path)
    crowded(12)
    assert queries(api, path) <= few <= most


def queries(api: Program, path: str) -> int:
    with CaptureQueriesContext(connection) as found:
        response = api.get(path)
        count = len(found)
    assert response.status_code == 200, response.content
    return count
