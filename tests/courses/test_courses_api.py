"""Courses, enrolments, documents and passages over REST: instructors change, students read, nobody else sees."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import MULTIPART_CONTENT

from courses.models import Course, Document, Enrollment, Lecture, Passage
from tests.api.conftest import Program, _fresh_throttles  # noqa: F401 - a fixture
from tests.api.test_errors import refused

pytestmark = pytest.mark.django_db
NOTES = b"# Gradient descent\n\nThe learning rate says how far a step goes. Too large a rate diverges.\n"


@pytest.fixture
def lecture(course: Course) -> Lecture:
    return Lecture.objects.create(course=course, number=3, title="Gradient descent")


def upload(program: Program, course: Course, content: bytes = NOTES, name: str = "notes.md", **fields: Any) -> Any:
    file = SimpleUploadedFile(name, content)
    path = f"/api/courses/{course.pk}/documents"
    return super(Program, program).post(path, {"file": file, **fields}, content_type=MULTIPART_CONTENT)


def test_my_courses_with_my_role(student: User, instructor: User, outsider: User, course: Course) -> None:
    for user, role in ((student, "student"), (instructor, "instructor")):
        body = Program(user).get("/api/courses").json()
        assert body["courses"] == [
            {
                "course_id": str(course.pk),
                "code": "ML101",
                "title": "Introduction to Machine Learning",
                "description": "",
                "role": role,
            }
        ]
        assert (body["total"], body["page"], body["limit"]) == (1, 1, 20)
    assert Program(outsider).get("/api/courses").json()["courses"] == []


def test_pages_are_linked(student: User) -> None:
    for number in range(5):
        course = Course.objects.create(code=f"C{number}", title="t")
        Enrollment.objects.create(course=course, user=student)
    response = Program(student).get("/api/courses?limit=2&page=2&x=y")
    assert [course["code"] for course in response.json()["courses"]] == ["C2", "C3"]
    assert 'page=1>; rel="prev"' in response["link"].replace("&x=y", "")
    assert "page=3" in response["link"]
    for bad in ("page=0", "limit=0", "limit=101", "page=x", "page=99999999999999999999"):
        refused(Program(student).get(f"/api/courses?{bad}"), 422, "validation_error")


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_costs_the_same_however_long(student: User, count: int, django_assert_num_queries: Any) -> None:
    for number in range(count):
        course = Course.objects.create(code=f"C{number}", title="t")
        Enrollment.objects.create(course=course, user=student)
    api = Program(student)
    api.get("/api/courses")
    with django_assert_num_queries(3):
        api.get("/api/courses")


def test_an_outsider_finds_nothing(outsider: User, student: User, course: Course, lecture: Lecture) -> None:
    document = Document.objects.create(course=course, title="d", file_name="d.md", sha256="1")
    stranger = Program(outsider)
    for path in ("", "/lectures", "/passages?q=x", "/enrolments", "/documents"):
        refused(stranger.get(f"/api/courses/{course.pk}{path}"), 404, "not_found")
    refused(stranger.post(f"/api/courses/{course.pk}/enrolments", {"username": "outsider"}), 404, "not_found")
    refused(stranger.delete(f"/api/courses/{course.pk}/enrolments/student"), 404, "not_found")
    refused(upload(stranger, course), 404, "not_found")
    refused(stranger.get(f"/api/documents/{document.pk}"), 404, "not_found")
    refused(stranger.delete(f"/api/documents/{document.pk}"), 404, "not_found")
    refused(stranger.post(f"/api/documents/{document.pk}/reingest"), 404, "not_found")
    assert Document.objects.count() == 1


def test_who_may_add_courses(student: User, operator: User) -> None:
    body = {"code": "NEW1", "title": "New", "description": "d", "instructions": "i"}
    refused(Program(student).post("/api/courses", body), 403, "forbidden")
    made = Program(operator).post("/api/courses", body)
    assert made.status_code == 201
    assert made.json()["role"] == "instructor"
    assert "code" in refused(Program(operator).post("/api/courses", body), 422, "validation_error")["errors"]
    student.user_permissions.add(Permission.objects.get(codename="add_course"))
    assert Program(student).post("/api/courses", {"code": "NEW2", "title": "New"}).status_code == 201


def test_instructors_decide_who_is_in(instructor: User, student: User, outsider: User, course: Course) -> None:
    path = f"/api/courses/{course.pk}/enrolments"
    teacher = Program(instructor)
    refused(Program(student).get(path), 403, "forbidden")
    refused(Program(student).post(path, {"username": "outsider"}), 403, "forbidden")
    made = teacher.post(path, {"username": "outsider", "role": "student"})
    assert (made.status_code, made.json()["username"]) == (201, "outsider")
    assert teacher.post(path, {"username": "outsider", "role": "instructor"}).status_code == 200
    assert {row["username"]: row["role"] for row in teacher.get(path).json()["enrolments"]}["outsider"] == "instructor"
    assert teacher.delete(f"{path}/outsider").json() == {"status": "deleted"}
    refused(teacher.delete(f"{path}/outsider"), 404, "not_found")
    assert "username" in refused(teacher.post(path, {"username": "ghost"}), 422, "validation_error")["errors"]
    assert "role" in refused(teacher.post(path, {"username": "x", "role": "king"}), 422, "validation_error")["errors"]
    refused(teacher.delete(f"{path}/instructor"), 422, "validation_error")


def test_a_document_is_uploaded_read_again_and_deleted(instructor: User, student: User, course: Course) -> None:
    lecture = Lecture.objects.create(course=course, number=3, title="Gradient descent")
    teacher = Program(instructor)
    refused(upload(Program(student), course), 403, "forbidden")
    made = upload(teacher, course, title="My notes", lecture_id=str(lecture.pk))
    assert made.status_code == 201
    body = made.json()
    assert (body["state"], body["title"], body["lecture_id"]) == ("pending", "My notes", str(lecture.pk))
    assert upload(teacher, course).status_code == 200
    path = f"/api/documents/{body['document_id']}"
    assert Program(student).get(path).json() == body
    assert Program(student).get(f"/api/courses/{course.pk}/documents").json()["documents"] == [body]
    refused(Program(student).delete(path), 403, "forbidden")
    refused(Program(student).post(f"{path}/reingest"), 403, "forbidden")
    Document.objects.update(state="failed", error="Why")
    assert Program(student).get(path).json()["error"] == "Why"
    assert teacher.post(f"{path}/reingest").json()["state"] == "pending"
    assert teacher.delete(path).json() == {"status": "deleted"}
    refused(teacher.get(path), 404, "not_found")


def test_uploads_that_cannot_be_taken(instructor: User, course: Course, settings: Any) -> None:
    teacher = Program(instructor)
    path = f"/api/courses/{course.pk}/documents"
    refused(teacher.post(path, {"file": "x"}), 415, "unsupported_media_type")
    assert "file" in refused(upload(teacher, course, b""), 422, "validation_error")["errors"]
    assert (
        "file" in refused(upload(teacher, course, b"MZ\0\1\2\3" * 100, "virus.exe"), 422, "validation_error")["errors"]
    )
    assert "lecture_id" in refused(upload(teacher, course, lecture_id="x"), 422, "validation_error")["errors"]
    broken = teacher.generic("POST", path, b"--BoUnDaRyStRiNg\r\nnonsense", content_type=MULTIPART_CONTENT)
    refused(broken, 422, "validation_error")
    settings.UPLOAD_MAX_MB = 1
    refused(upload(teacher, course, b"a" * 1_000_001), 413, "too_large")
    settings.THROTTLE_UPLOAD = "1/hour"
    refused(upload(teacher, course), 429, "throttled")
    assert teacher.get(path).status_code == 200


def test_passages_best_first_with_their_place(student: User, course: Course, lecture: Lecture) -> None:
    document = Document.objects.create(
        course=course, lecture=lecture, title="Notes", file_name="n.md", sha256="1", state="ready"
    )
    texts = ["The learning rate says how far a step of gradient descent goes.", "Trees split the data."]
    Passage.objects.bulk_create(
        Passage(document=document, position=number, text=text, page=number + 1) for number, text in enumerate(texts)
    )
    path = f"/api/courses/{course.pk}/passages"
    found = Program(student).get(f"{path}?q=learning rate").json()["passages"]
    assert found[0]["text"] == texts[0]
    assert found[0]["locator"] == {"page": 1}
    assert set(found[0]) == {"passage_id", "document_id", "title", "text", "locator", "score"}
    assert Program(student).get(f"{path}?q=gradient descent&lecture_id={lecture.pk}").json()["passages"]
    refused(Program(student).get(f"{path}?q=learning&document_id=nothing"), 404, "not_found")
    refused(Program(student).get(f"{path}?q=x&limit=0"), 422, "validation_error")
    assert Program(student).get(path).json() == {"passages": []}
