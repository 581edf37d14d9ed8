"""Who may come at a course's material: every object, role and door of HTTP and search. What isn't yours isn't there."""

from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import AsyncClient

from chats.models import ChatSession, Citation, Message
from courses.models import Course, Document, Lecture
from courses.retrieval import search
from courses.services import documents, enrolments
from tests.courses import files
from tests.courses.material import NOTES, read, work

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "zanzibar"


@dataclass
class Shelf:
    """A course with a document of each kind of page, and an answer that cites one."""

    course: Course
    lecture: Lecture
    notes: Document
    pages: Document
    session: ChatSession
    answer: Message


@pytest.fixture
def shelf(instructor: User, student: User, course: Course) -> Shelf:
    lecture = course.lectures.create(number=1, title="Steam")
    notes = read(instructor, course, NOTES, lecture=lecture)
    pages = read(instructor, course, files.pdf(words=f"It has {SECRET} too."), "pages.pdf")
    session = ChatSession.objects.create(user=student, course=course)
    question = Message.objects.create(session=session, role="user", content="Why?", state="complete")
    answer = Message.objects.create(
        session=session, parent=question, role="assistant", content="Because [1].", state="complete"
    )
    session.head = answer
    session.save()
    passage = notes.passages.get()
    Citation.objects.create(
        message=answer, marker=1, passage=passage, document=notes, course=course, cited=True, quote=f"The {SECRET}.",
        document_title=notes.title,
    )  # fmt: skip
    return Shelf(course, lecture, notes, pages, session, answer)


def client(user: User | None) -> AsyncClient:
    made = AsyncClient()
    if user is not None:
        made.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return made


def reading(shelf: Shelf) -> dict[str, tuple[int, int]]:
    """Doors that only read, with what somebody who isn't signed in and what a member gets."""
    course, api = f"/courses/{shelf.course.pk}", f"/api/courses/{shelf.course.pk}"
    notes, pages = f"{course}/documents/{shelf.notes.pk}", f"{course}/documents/{shelf.pages.pk}"
    return {
        **dict.fromkeys((course, f"{course}/material", notes, pages), (302, 200)),
        f"{notes}?passage={shelf.notes.passages.get().pk}": (302, 200),
        **dict.fromkeys((f"{notes}/file", f"{pages}/file", f"{pages}/pages/1"), (302, 200)),
        **dict.fromkeys((api, f"{api}/lectures", f"{api}/documents", f"/api/documents/{shelf.notes.pk}"), (401, 200)),
        f"{api}/passages?q={SECRET}": (401, 200),
        f"{api}/passages?q={SECRET}&document_id={shelf.notes.pk}": (401, 200),
        f"{api}/passages?q={SECRET}&lecture_id={shelf.lecture.pk}": (401, 200),
    }


def writing(shelf: Shelf) -> list[tuple[str, str]]:
    """Doors that change something: for instructors."""
    notes, api = f"/courses/{shelf.course.pk}/documents/{shelf.notes.pk}", f"/api/documents/{shelf.notes.pk}"
    return [
        ("post", f"/courses/{shelf.course.pk}/documents"),
        ("post", f"/api/courses/{shelf.course.pk}/documents"),
        ("post", f"{notes}/reingest"),
        ("post", f"{api}/reingest"),
        ("post", f"{notes}/remove"),
        ("delete", api),
    ]


async def text_of(response: Any) -> str:
    if response.streaming:
        return b"".join([piece async for piece in response.streaming_content]).decode("latin-1")
    return str(response.content.decode("latin-1"))


async def test_what_is_read_is_read_by_members_alone(
    shelf: Shelf, student: User, instructor: User, outsider: User, operator: User
) -> None:
    doors = await sync_to_async(reading)(shelf)
    for user in (None, outsider, operator, student, instructor):
        browser = await sync_to_async(client)(user)
        for address, (unknown, member) in doors.items():
            response = await browser.get(address)
            expected = unknown if user is None else member if user in (student, instructor) else 404
            if "/file" in address or "/pages/" in address:
                # These are no pages to come back to after signing in.
                expected = 404 if user is None and response.status_code == 404 else expected
            assert response.status_code == expected, (user, address)
            said = await text_of(response)
            assert member == expected or (SECRET not in said.replace(address, "") and "Steam" not in said), address


async def test_what_is_changed_is_changed_by_instructors_alone(
    shelf: Shelf, student: User, outsider: User, operator: User
) -> None:
    for user in (None, outsider, operator, student):
        browser = await sync_to_async(client)(user)
        for method, address in writing(shelf):
            sent = {"file": ContentFile(b"# Mine", "mine.md")} if address.endswith("/documents") else None
            response = await getattr(browser, method)(address, sent)
            unknown = 401 if address.startswith("/api") else 302
            assert response.status_code == (unknown if user is None else 403 if user == student else 404), address
    assert await Document.objects.filter(state="ready").acount() == 2


def test_search_sees_what_its_asker_may_see(
    shelf: Shelf, student: User, instructor: User, outsider: User, operator: User
) -> None:
    other = Course.objects.create(code="OTHER", title="Another")
    other.enrolments.create(user=outsider, role="instructor")
    for more in ({}, {"document": shelf.notes}, {"lecture": shelf.lecture}):
        for user in (student, instructor):
            assert search(user=user, course=shelf.course, query=SECRET, **more)
            assert search(user=user, course=other, query=SECRET, **more) == []
        for user in (outsider, operator):
            assert search(user=user, course=shelf.course, query=SECRET, **more) == []
            assert search(user=user, course=other, query=SECRET, **more) == []


async def test_citations_are_for_whom_they_were_given_to(
    shelf: Shelf, student: User, instructor: User, teammate: User, outsider: User, operator: User
) -> None:
    doors = (
        f"/chats/{shelf.session.pk}/messages/{shelf.answer.pk}/sources",
        f"/chats/{shelf.session.pk}",
        f"/api/sessions/{shelf.session.pk}/messages",
    )
    for user in (student, None, instructor, teammate, outsider, operator):
        browser = await sync_to_async(client)(user)
        for address in doors:
            response = await browser.get(address)
            unknown = 401 if address.startswith("/api") else 302
            assert response.status_code == (unknown if user is None else 200 if user == student else 404), address
            said = await text_of(response)
            assert (SECRET in said or "Because" in said) == (user == student), address


async def test_who_left_the_course_finds_neither_its_material_nor_what_was_cited(
    shelf: Shelf, instructor: User, student: User
) -> None:
    browser = await sync_to_async(client)(student)
    doors = (
        f"/chats/{shelf.session.pk}/messages/{shelf.answer.pk}/sources",
        f"/courses/{shelf.course.pk}/documents/{shelf.notes.pk}",
    )
    for address in doors:
        assert SECRET in await text_of(await browser.get(address))
    await sync_to_async(enrolments.unenrol)(user=instructor, course_id=shelf.course.pk, username=student.username)
    for address in doors:
        response = await browser.get(address)
        assert response.status_code == 404
        assert SECRET not in await text_of(response)


def test_a_removed_source_leaves_its_quote_in_the_chat(shelf: Shelf, instructor: User) -> None:
    documents.remove(user=instructor, document_id=shelf.notes.pk)
    work()
    [citation] = Citation.objects.all()
    assert (citation.passage, citation.document, citation.document_title) == (None, None, "notes")
    assert SECRET in citation.quote
