"""From an upload to a passage that is found: the whole way, and who may go it."""

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from core.errors import Forbidden, Invalid, NotFound
from courses.models import Course, Document, Passage
from courses.retrieval import search
from courses.services import documents, enrolments
from tests.courses.material import NOTES, upload, work

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_uploaded_file_waits_for_the_worker_and_is_then_found(
    instructor: User, student: User, course: Course
) -> None:
    document = upload(instructor, course)
    assert document.state == "pending"
    assert search(user=student, course=course, query="zanzibar") == []
    work()
    document.refresh_from_db()
    assert (document.state, document.passage_count, document.language) == ("ready", 1, "english")
    [hit] = search(user=student, course=course, query="When does the Zanzibar effect occur?")
    assert hit.document_id == document.pk
    assert hit.locator == {"heading": "Convection › Boiling point"}
    assert "lower temperature" in hit.text


def test_passages_are_found_by_those_enrolled_and_by_nobody_else(
    instructor: User, student: User, outsider: User, operator: User, course: Course
) -> None:
    document = upload(instructor, course)
    work()
    assert len(search(user=student, course=course, query="zanzibar")) == 1
    for stranger in (outsider, operator):
        assert search(user=stranger, course=course, query="zanzibar") == []
        assert search(user=stranger, course=course, query="zanzibar", document=document) == []
    enrolments.unenrol(user=instructor, course_id=course.pk, username=student.username)
    assert search(user=student, course=course, query="zanzibar") == []


def test_only_instructors_change_material(instructor: User, student: User, outsider: User, course: Course) -> None:
    document = upload(instructor, course)
    for user, refusal in ((student, Forbidden), (outsider, NotFound)):
        with pytest.raises(refusal):
            upload(user, course, "# Other\n\nText.")
        with pytest.raises(refusal):
            documents.remove(user=user, document_id=document.pk)
        with pytest.raises(refusal):
            documents.reingest(user=user, document_id=document.pk)
    assert Document.objects.count() == 1


def test_the_same_file_twice_is_one_document(instructor: User, course: Course) -> None:
    first = documents.add(user=instructor, course=course, file=ContentFile(NOTES.encode(), "a.md"))
    again = documents.add(user=instructor, course=course, file=ContentFile(NOTES.encode(), "b.md"))
    assert (first.created, again.created) == (True, False)
    assert first.document.pk == again.document.pk


def test_a_removed_document_leaves_nothing_behind(instructor: User, student: User, course: Course) -> None:
    document = upload(instructor, course)
    work()
    storage, name = document.file.storage, document.file.name
    assert storage.exists(name)
    documents.remove(user=instructor, document_id=document.pk)
    assert not storage.exists(name)
    assert not Passage.objects.exists()
    assert search(user=student, course=course, query="zanzibar") == []


def test_reading_an_unchanged_file_again_keeps_the_ids_of_its_passages(instructor: User, course: Course) -> None:
    document = upload(instructor, course)
    work()
    before = list(document.passages.values_list("pk", "position"))
    documents.reingest(user=instructor, document_id=document.pk)
    work()
    document.refresh_from_db()
    assert document.state == "ready"
    assert list(document.passages.values_list("pk", "position")) == before


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [(b"", "empty.md", "empty"), (b"\x00\x01\x02", "data.bin", "can't be read"), (b"no", "a.pdf", "not a PDF")],
)
def test_files_that_nothing_can_be_made_of_are_refused(
    instructor: User, course: Course, content: bytes, name: str, problem: str
) -> None:
    with pytest.raises(Invalid, match=problem) as refused:
        upload(instructor, course, content, name)
    assert "file" in refused.value.errors
    assert not Document.objects.exists()


def test_a_text_too_short_to_tell_its_language_is_searched_in_its_course_s(
    instructor: User, student: User, course: Course
) -> None:
    lecture = course.lectures.create(number=1, title="Boiling")
    upload(instructor, course, "Kettles boiling, mountains, pressures falling.", "short.md", lecture=lecture)
    upload(instructor, course, NOTES)
    work()
    for query in ("boiled kettle", "mountain", "falls"):
        [hit] = search(user=student, course=course, query=query, lecture=lecture)
        assert hit.lecture_number == 1
