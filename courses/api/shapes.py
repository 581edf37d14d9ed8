"""What the courses' API takes and gives, field by field, with an example of each."""

from typing import Any

from rest_framework import serializers

from core.api.fields import Body, NameField, Query, TextField
from courses.models import Course, Document, Enrollment, Lecture
from courses.retrieval import Hit

ID = "0198c0de-7e57-7000-8000-000000000001"
COURSE = {"course_id": ID, "code": "ML101", "title": "Introduction to Machine Learning", "description": ""}
LECTURE = {"lecture_id": ID, "number": 3, "title": "Gradient descent", "held_on": "2026-10-12"}
ENROLMENT = {"username": "student", "role": "student", "created_at": "2026-11-21T10:00:00Z"}
DOCUMENT = {
    "document_id": ID,
    "title": "Lecture 3: Gradient descent",
    "lecture_id": ID,
    "kind": "pdf",
    "state": "ready",
    "error": None,
    "page_count": 12,
    "passage_count": 31,
    "created_at": "2026-11-21T10:00:00Z",
}
PASSAGE = {
    "passage_id": ID,
    "document_id": ID,
    "title": "Lecture 3: Gradient descent",
    "text": "The learning rate says how far a step goes …",
    "locator": {"page": 3},
    "score": 0.82,
}


class CourseBody(Body):
    code = TextField(max_length=40)
    title = TextField(max_length=200)
    description = TextField(required=False, allow_blank=True, default="", max_length=20_000)
    instructions = TextField(
        required=False,
        allow_blank=True,
        default="",
        max_length=20_000,
        help_text="What the tutor should know about teaching this course.",
    )


class EnrolmentBody(Body):
    username = TextField(max_length=150)
    role = serializers.ChoiceField(choices=Enrollment.Role.choices, default="student")


class UploadBody(Body):
    file = serializers.FileField(allow_empty_file=True)
    title = NameField(max_length=300)
    lecture_id = NameField(max_length=100)


class PassageQuery(Query):
    q = TextField(max_length=2000, allow_blank=True, default="", help_text="What the passages should be about.")
    document_id = NameField(max_length=100, help_text="Only of this document.")
    lecture_id = NameField(max_length=100, help_text="Only of this lecture's documents.")
    limit = serializers.IntegerField(min_value=1, max_value=50, default=8)


class CourseData(serializers.Serializer[Any]):
    course_id = serializers.UUIDField()
    code = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    role = serializers.ChoiceField(choices=Enrollment.Role.choices)


class CourseListData(serializers.Serializer[Any]):
    courses = CourseData(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    limit = serializers.IntegerField()


class LectureData(serializers.Serializer[Any]):
    lecture_id = serializers.UUIDField()
    number = serializers.IntegerField()
    title = serializers.CharField()
    held_on = serializers.DateField(allow_null=True)


class LectureListData(serializers.Serializer[Any]):
    lectures = LectureData(many=True)


class EnrolmentData(serializers.Serializer[Any]):
    username = serializers.CharField()
    role = serializers.ChoiceField(choices=Enrollment.Role.choices)
    created_at = serializers.DateTimeField()


class EnrolmentListData(serializers.Serializer[Any]):
    enrolments = EnrolmentData(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    limit = serializers.IntegerField()


class DocumentData(serializers.Serializer[Any]):
    document_id = serializers.UUIDField()
    title = serializers.CharField()
    lecture_id = serializers.UUIDField(allow_null=True)
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=Document.State.choices)
    error = serializers.CharField(allow_null=True)
    page_count = serializers.IntegerField(allow_null=True)
    passage_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class DocumentListData(serializers.Serializer[Any]):
    documents = DocumentData(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    limit = serializers.IntegerField()


class LocatorData(serializers.Serializer[Any]):
    page = serializers.IntegerField(required=False)
    slide = serializers.IntegerField(required=False)
    start_seconds = serializers.FloatField(required=False)
    heading = serializers.CharField(required=False)


class PassageData(serializers.Serializer[Any]):
    passage_id = serializers.UUIDField()
    document_id = serializers.UUIDField()
    title = serializers.CharField()
    text = serializers.CharField()
    locator = LocatorData()
    score = serializers.FloatField()


class PassageListData(serializers.Serializer[Any]):
    passages = PassageData(many=True)


def course_data(course: Course, role: str) -> dict[str, Any]:
    return {
        "course_id": course.pk,
        "code": course.code,
        "title": course.title,
        "description": course.description,
        "role": role,
    }


def lecture_data(lecture: Lecture) -> dict[str, Any]:
    return {
        "lecture_id": lecture.pk,
        "number": lecture.number,
        "title": lecture.title,
        "held_on": lecture.held_on,
    }


def enrolment_data(enrolment: Enrollment) -> dict[str, Any]:
    return {
        "username": enrolment.user.get_username(),
        "role": enrolment.role,
        "created_at": enrolment.created_at,
    }


def document_data(document: Document) -> dict[str, Any]:
    return {
        "document_id": document.pk,
        "title": document.title,
        "lecture_id": document.lecture_id,
        "kind": document.kind,
        "state": document.state,
        "error": document.notice or None,
        "page_count": document.page_count,
        "passage_count": document.passage_count,
        "created_at": document.created_at,
    }


def passage_data(hit: Hit) -> dict[str, Any]:
    return {
        "passage_id": hit.passage_id,
        "document_id": hit.document_id,
        "title": hit.title,
        "text": hit.text,
        "locator": hit.locator,
        "score": hit.score,
    }
