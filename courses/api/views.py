"""Courses, who is in them, their material, and the passages in it."""

from typing import Any

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery
from rest_framework import parsers
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.errors import TooLarge
from core.api.pages import PageQuery, page_response, slice_of
from core.api.schema import operation
from core.api.views import ApiViewSet, StatusData
from core.errors import Forbidden, NotFound
from core.ids import parse_uuid
from courses import retrieval
from courses.api import shapes
from courses.models import Course, Document, Enrollment, Lecture
from courses.querysets import Person
from courses.services import courses, documents, enrolments

# What a multipart body takes besides the file itself.
FORM_ALLOWANCE = 1_000_000


class CoursesView(ApiViewSet):
    """The courses I am enrolled in."""

    tag = "courses"
    bodies = {"create": shapes.CourseBody}

    @operation(
        "List my courses",
        name="courses",
        parameters=[PageQuery],
        answer=shapes.CourseListData,
        answers={"courses": [{**shapes.COURSE, "role": "student"}], "total": 1, "page": 1, "limit": 20},
    )
    def list(self, request: Request) -> Response:
        given = self.query(PageQuery)
        rows = _with_roles(Course.objects.for_user(request.user), request.user).order_by("code", "pk")
        found = [shapes.course_data(course, course.role) for course in slice_of(rows, **given)]
        return page_response(request, "courses", found, total=rows.count(), **given)

    @operation(
        "Add a course",
        name="add_course",
        description="For staff and those with the permission to add courses. Who adds a course is its instructor.",
        body=shapes.CourseBody,
        sends={"code": "ML101", "title": "Introduction to Machine Learning"},
        answer=shapes.CourseData,
        answers={**shapes.COURSE, "role": "instructor"},
        status=201,
    )
    def create(self, request: Request) -> Response:
        course = courses.create(user=request.user, **self.body())  # type: ignore[arg-type]
        return Response(shapes.course_data(course, Enrollment.Role.INSTRUCTOR), status=201)

    @operation(
        "Read a course",
        name="course",
        answer=shapes.CourseData,
        answers={**shapes.COURSE, "role": "student"},
    )
    def retrieve(self, request: Request, course_id: str) -> Response:
        course = course_of(request.user, course_id)
        return Response(shapes.course_data(course, course.role))

    @operation(
        "List a course's lectures",
        name="lectures",
        answer=shapes.LectureListData,
        answers={"lectures": [shapes.LECTURE]},
    )
    def lectures(self, request: Request, course_id: str) -> Response:
        rows = Lecture.objects.filter(course=course_of(request.user, course_id)).order_by("number")
        return Response({"lectures": [shapes.lecture_data(lecture) for lecture in rows]})

    @operation(
        "Find passages of a course's material",
        name="passages",
        description="Best first. This is what the tutor is given to answer from.",
        parameters=[shapes.PassageQuery],
        answer=shapes.PassageListData,
        answers={"passages": [shapes.PASSAGE]},
    )
    def passages(self, request: Request, course_id: str) -> Response:
        given = self.query(shapes.PassageQuery)
        course = course_of(request.user, course_id)
        hits = retrieval.search(
            user=request.user,
            course=course,
            query=given["q"],
            document=_in_course(Document, course, given.get("document_id")),
            lecture=_in_course(Lecture, course, given.get("lecture_id")),
            limit=given["limit"],
        )
        return Response({"passages": [shapes.passage_data(hit) for hit in hits]})


class EnrolmentsView(ApiViewSet):
    """Who is in a course. For its instructors."""

    tag = "courses"
    bodies = {"create": shapes.EnrolmentBody}

    @operation(
        "List who is in a course",
        name="enrolments",
        parameters=[PageQuery],
        answer=shapes.EnrolmentListData,
        answers={"enrolments": [shapes.ENROLMENT], "total": 1, "page": 1, "limit": 20},
        also={403: None},
    )
    def list(self, request: Request, course_id: str) -> Response:
        given = self.query(PageQuery)
        rows = enrolments.listed(user=request.user, course_id=course_id)
        found = [shapes.enrolment_data(enrolment) for enrolment in slice_of(rows, **given)]
        return page_response(request, "enrolments", found, total=rows.count(), **given)

    @operation(
        "Enrol somebody, or change their role",
        name="enrol",
        body=shapes.EnrolmentBody,
        sends={"username": "student", "role": "student"},
        answer=shapes.EnrolmentData,
        answers=shapes.ENROLMENT,
        status=201,
        description="201 when they are new in the course, 200 when only the role is.",
        also={200: shapes.EnrolmentData},
    )
    def create(self, request: Request, course_id: str) -> Response:
        enrolment, created = enrolments.enrol(user=request.user, course_id=course_id, **self.body())
        return Response(shapes.enrolment_data(enrolment), status=201 if created else 200)

    @operation(
        "Take somebody out of a course",
        name="unenrol",
        answer=StatusData,
        answers={"status": "deleted"},
    )
    def destroy(self, request: Request, course_id: str, username: str) -> Response:
        enrolments.unenrol(user=request.user, course_id=course_id, username=username)
        return Response({"status": "deleted"})


class DocumentsView(ApiViewSet):
    """A course's material. Everybody enrolled may see it, its instructors change it."""

    tag = "documents"
    bodies = {"create": shapes.UploadBody}
    throttle_kinds = {"create": "upload", "reingest": "upload"}

    def get_parsers(self) -> list[parsers.BaseParser]:
        if getattr(self, "action_map", {}).get("post") == "create":
            return [parsers.MultiPartParser()]
        return super().get_parsers()

    @operation(
        "List a course's documents",
        name="documents",
        parameters=[PageQuery],
        answer=shapes.DocumentListData,
        answers={"documents": [shapes.DOCUMENT], "total": 1, "page": 1, "limit": 20},
    )
    def list(self, request: Request, course_id: str) -> Response:
        given = self.query(PageQuery)
        course = course_of(request.user, course_id)
        rows = Document.objects.filter(course=course).order_by("-created_at", "-pk")
        found = [shapes.document_data(document) for document in slice_of(rows, **given)]
        return page_response(request, "documents", found, total=rows.count(), **given)

    @operation(
        "Upload a document",
        name="upload",
        description=(
            "It is read in the background: watch its `state` become `ready` or `failed`. The same file again is the "
            "document that is there (200)."
        ),
        body={"multipart/form-data": shapes.UploadBody},
        answer=shapes.DocumentData,
        answers={**shapes.DOCUMENT, "state": "pending", "page_count": None, "passage_count": 0},
        status=201,
        also={200: shapes.DocumentData},
    )
    def create(self, request: Request, course_id: str) -> Response:
        if course_of(request.user, course_id).role != Enrollment.Role.INSTRUCTOR:
            raise Forbidden(documents.NOT_AN_INSTRUCTOR)
        most = settings.UPLOAD_MAX_MB * 1_000_000
        length = request.META.get("CONTENT_LENGTH") or ""
        too_large = TooLarge(f"The file is larger than {settings.UPLOAD_MAX_MB} MB.")
        if length.isdecimal() and int(length) > most + FORM_ALLOWANCE:
            raise too_large
        given = self.body()
        if given["file"].size > most:
            raise too_large
        added = documents.add(
            user=request.user,
            course=course_id,
            file=given["file"],
            title=given.get("title") or "",
            lecture=given.get("lecture_id"),
        )
        return Response(shapes.document_data(added.document), status=201 if added.created else 200)

    @operation("Read a document's state", name="document", answer=shapes.DocumentData, answers=shapes.DOCUMENT)
    def retrieve(self, request: Request, document_id: str) -> Response:
        return Response(shapes.document_data(documents.find(user=request.user, document_id=document_id)))

    @operation(
        "Delete a document with its passages",
        name="delete_document",
        answer=StatusData,
        answers={"status": "deleted"},
    )
    def destroy(self, request: Request, document_id: str) -> Response:
        documents.remove(user=request.user, document_id=document_id)
        return Response({"status": "deleted"})

    @operation(
        "Have a document read again",
        name="reingest_document",
        answer=shapes.DocumentData,
        answers={**shapes.DOCUMENT, "state": "pending"},
    )
    def reingest(self, request: Request, document_id: str) -> Response:
        return Response(shapes.document_data(documents.reingest(user=request.user, document_id=document_id)))


def course_of(user: Person, course_id: str) -> Any:
    """The course with the `role` that `user` has in it. Raises NotFound."""
    uuid = parse_uuid(course_id)
    course = _with_roles(Course.objects.for_user(user), user).filter(pk=uuid).first() if uuid else None
    if course is None:
        raise NotFound
    return course


def _with_roles(rows: "QuerySet[Course]", user: Person) -> "QuerySet[Course]":
    roles = Enrollment.objects.filter(course=OuterRef("pk"), user_id=user.pk)  # type: ignore[misc]
    return rows.annotate(role=Subquery(roles.values("role")[:1]))


def _in_course(model: type[Document] | type[Lecture], course: Course, given: str | None) -> Any:
    """The course's document or lecture of that id, None if none is asked for. Raises NotFound."""
    if not given:
        return None
    uuid = parse_uuid(given)
    found = model.objects.filter(course=course, pk=uuid).first() if uuid else None
    if found is None:
        raise NotFound("There is no such document or lecture in this course.")
    return found
