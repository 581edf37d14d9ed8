"""Adding, removing and re-reading a course's material. Instructors may; `user=None` is the site itself."""

import uuid
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from core.errors import Forbidden, Invalid, NotFound
from core.ids import parse_uuid
from courses import tasks
from courses.models import Course, Document, Lecture
from courses.parsing.blocks import ParseError
from courses.querysets import Person
from courses.storing import Added, store_file

__all__ = ["Added", "add", "find", "reingest", "remove"]

NOT_AN_INSTRUCTOR = "Only the instructors of a course may change its material."


def add(
    *,
    user: Person | None,
    course: Course | uuid.UUID | str,
    file: Any,
    title: str = "",
    lecture: Lecture | uuid.UUID | str | None = None,
) -> Added:
    """Take `file` (a Django file, or any binary file with a `name`) into the course and have it read by the worker.

    Returns the document and whether it is new: the same content in the same course is the document that is there, read
    again if that had failed. Raises NotFound, Forbidden, and Invalid with `errors` for `file`, `title` or `lecture_id`.
    """
    taught = _taught_course(user, course)
    placed = _lecture(taught, lecture)
    size = getattr(file, "size", None)
    if size is not None and size > settings.UPLOAD_MAX_MB * 1_000_000:
        raise _refused(f"The file is larger than {settings.UPLOAD_MAX_MB} MB.")
    content: BinaryIO = getattr(file, "file", None) or file
    try:
        with transaction.atomic():
            added = store_file(
                course=taught,
                file=content,
                name=str(getattr(file, "name", "") or "file"),
                title=title,
                lecture=placed,
                uploaded_by=user,
            )
            if added.created:
                tasks.enqueue(added.document)
    except ParseError as error:
        raise _refused(str(error)) from None
    if not added.created and added.document.state == Document.State.FAILED:
        _read_again(added.document)
        added.document.refresh_from_db()
    return added


def find(*, user: Person, document_id: uuid.UUID | str) -> Document:
    """The document, if `user` is enrolled in its course. Raises NotFound."""
    rows = Document.objects.for_user(user).select_related("course", "lecture")
    document = rows.filter(pk=_id(document_id)).first()
    if document is None:
        raise NotFound
    found: Document = document
    return found


def remove(*, user: Person | None, document_id: uuid.UUID | str) -> None:
    """Delete the document, its passages, their index entries and its file. Raises NotFound, Forbidden."""
    document = _taught_document(user, document_id)
    with transaction.atomic():
        document.delete()


def reingest(*, user: Person | None, document_id: uuid.UUID | str) -> Document:
    """Have the document read again, unless that is happening. Raises NotFound, Forbidden."""
    document = _taught_document(user, document_id)
    _read_again(document)
    document.refresh_from_db()
    return document


def _read_again(document: Document) -> None:
    with transaction.atomic():
        done = Document.objects.filter(pk=document.pk, state__in=(Document.State.READY, Document.State.FAILED))
        if done.update(state=Document.State.PENDING, error="", pages_done=0, updated_at=timezone.now()):
            tasks.enqueue(document)


def _taught_course(user: Person | None, course: Course | uuid.UUID | str) -> Course:
    course_id = course.pk if isinstance(course, Course) else _id(course)
    rows = Course.objects.filter(pk=course_id)
    found = (rows if user is None else rows.for_user(user)).first()
    if found is None:
        raise NotFound
    if user is not None and not Course.objects.taught_by(user).filter(pk=course_id).exists():
        raise Forbidden(NOT_AN_INSTRUCTOR)
    taught: Course = found
    return taught


def _taught_document(user: Person | None, document_id: uuid.UUID | str) -> Document:
    if user is None:
        document = Document.objects.filter(pk=_id(document_id)).first()
        if document is None:
            raise NotFound
        found: Document = document
        return found
    visible = find(user=user, document_id=document_id)
    if not Document.objects.taught_by(user).filter(pk=visible.pk).exists():
        raise Forbidden(NOT_AN_INSTRUCTOR)
    return visible


def _lecture(course: Course, lecture: Lecture | uuid.UUID | str | None) -> Lecture | None:
    if lecture is None or lecture == "":
        return None
    lecture_id = lecture.pk if isinstance(lecture, Lecture) else parse_uuid(lecture)
    rows = Lecture.objects.filter(course=course)
    found: Lecture | None = rows.filter(pk=lecture_id).first() if lecture_id is not None else None
    if found is None:
        raise Invalid(errors={"lecture_id": ["There is no such lecture in this course."]})
    return found


def _id(value: uuid.UUID | str) -> uuid.UUID:
    known = parse_uuid(value)
    if known is None:
        raise NotFound
    return known


def _refused(problem: str) -> Invalid:
    return Invalid(problem, errors={"file": [problem]})
