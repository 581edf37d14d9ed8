"""What the page of a document shows, and where the cited passage is marked."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.errors import NotFound
from courses import viewer
from courses.models import Course
from tests.courses.material import DEMO, HANDOUT, NOTES, read, upload

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_pdf_shows_its_pages_with_the_lines_of_the_cited_passage_marked(
    instructor: User, student: User, course: Course
) -> None:
    document = read(instructor, course, HANDOUT.read_bytes(), "handout.pdf")
    cited = document.passages.filter(page=2).first()
    shown = viewer.view(user=student, course_id=course.pk, document_id=document.pk, passage=str(cited.pk))
    assert (shown.layout, len(shown.pages), shown.anchor) == ("pages", document.page_count, "page-2")
    page = shown.pages[1]
    assert page.is_cited
    assert not shown.pages[0].is_cited
    assert page.height > page.width
    assert page.image_url.endswith(f"/documents/{document.pk}/pages/2")
    for mark in page.highlights:
        assert 0 <= mark.left < mark.left + mark.width <= 100
        assert 0 <= mark.top < mark.top + mark.height <= 100
    assert len(page.highlights) >= 2


def test_slides_and_transcripts_show_their_text_by_slide_and_by_time(
    instructor: User, student: User, course: Course
) -> None:
    slides = read(instructor, course, (DEMO / "07-trees-and-ensembles.pptx").read_bytes(), "slides.pptx")
    shown = viewer.view(user=student, course_id=course.pk, document_id=slides.pk)
    assert shown.layout == "slides"
    assert shown.sections[2].passages[0].place == "slide 3"
    spoken = read(instructor, course, (DEMO / "06-neural-networks.vtt").read_bytes(), "talk.vtt")
    shown = viewer.view(user=student, course_id=course.pk, document_id=spoken.pk)
    lines = [line for section in shown.sections for passage in section.passages for line in passage.lines]
    assert shown.layout == "transcript"
    assert [line.seconds for line in lines] == sorted(line.seconds for line in lines)
    assert lines[0].clock == "0:02"
    assert all(line.text for line in lines)


def test_an_unknown_passage_marks_nothing(instructor: User, student: User, course: Course) -> None:
    document = read(instructor, course)
    for passage in ("", "nonsense", "0190a5c0-0000-7000-8000-000000000000"):
        shown = viewer.view(user=student, course_id=course.pk, document_id=document.pk, passage=passage)
        assert (shown.cited, shown.anchor) == (None, "")


def test_it_takes_the_same_few_queries_for_any_document(instructor: User, student: User, course: Course) -> None:
    counts = []
    for length in (1, 60):
        text = "\n\n".join(f"# Part {number}\n\n{NOTES * 10}" for number in range(length))
        document = read(instructor, course, text, "notes.md")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            viewer.view(user=student, course_id=course.pk, document_id=document.pk)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 3


def test_only_ready_documents_are_shown_and_only_to_members(
    instructor: User, student: User, outsider: User, course: Course
) -> None:
    document = upload(instructor, course)
    with pytest.raises(NotFound):
        viewer.view(user=student, course_id=course.pk, document_id=document.pk)
    ready = read(instructor, course, NOTES + "More.", "more.md")
    with pytest.raises(NotFound):
        viewer.view(user=outsider, course_id=course.pk, document_id=ready.pk)
