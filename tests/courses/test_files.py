"""The original file and pictures of its pages: for those enrolled, in ranges, and inert."""

from io import BytesIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import AsyncClient
from PIL import Image

from courses.models import Course, Document
from courses.services import documents
from tests.courses.material import HANDOUT, read, upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def handout(instructor: User, course: Course) -> Document:
    return read(instructor, course, HANDOUT.read_bytes(), 'hand"out\r\nX: y.pdf')


def client_of(user: User) -> AsyncClient:
    client = AsyncClient()
    client.force_login(user)
    return client


@pytest.fixture
def strangers(outsider: User, operator: User) -> list[AsyncClient]:
    return [client_of(outsider), client_of(operator)]


def address(document: Document, rest: str) -> str:
    return f"/courses/{document.course_id}/documents/{document.pk}/{rest}"


async def body(response: Any) -> bytes:
    if response.streaming:
        return b"".join([piece async for piece in response.streaming_content])
    return response.content


@pytest.fixture
def student_client(student: User) -> AsyncClient:
    return client_of(student)


async def test_the_original_is_a_download_that_nothing_runs_in(handout: Document, student_client: AsyncClient) -> None:
    response = await student_client.get(address(handout, "file"))
    assert response.status_code == 200
    assert await body(response) == HANDOUT.read_bytes()
    assert response["Content-Type"] == "application/pdf"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"].startswith("sandbox")
    assert response["Content-Disposition"].startswith("attachment")
    assert "\r" not in response["Content-Disposition"]
    assert "private" in response["Cache-Control"]


@pytest.fixture
def page_of_html(instructor: User, course: Course) -> Document:
    source = b"<!doctype html><script>alert(1)</script><p>Hello there, this is text.</p>"
    return read(instructor, course, source, "page.html")


async def test_a_page_of_html_is_served_as_plain_text(page_of_html: Document, student_client: AsyncClient) -> None:
    response = await student_client.get(address(page_of_html, "file"))
    assert response["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("bytes=0-99", (0, 100)), ("bytes=100-", (100, None)), ("bytes=-50", (-50, None)), ("bytes=5-5", (5, 6))],
)
async def test_ranges(
    handout: Document, student_client: AsyncClient, asked: str, expected: tuple[int, int | None]
) -> None:
    whole = HANDOUT.read_bytes()
    response = await student_client.get(address(handout, "file"), headers={"Range": asked})
    part = whole[slice(*expected)]
    assert response.status_code == 206
    assert await body(response) == part
    first = whole.index(part) if len(part) > 1 else expected[0]
    assert response["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(whole)}"


async def test_a_range_that_is_not_there_and_ranges_nobody_understands(
    handout: Document, student_client: AsyncClient
) -> None:
    size = HANDOUT.stat().st_size
    beyond = await student_client.get(address(handout, "file"), headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{size}")
    for strange in ("lines=1-2", "bytes=a-b", "bytes=-", "bytes=0-1,5-6"):
        response = await student_client.get(address(handout, "file"), headers={"Range": strange})
        assert response.status_code == 200


LONG = b"A sentence about nothing in particular, to fill a file.\n\n" * 30_000


@pytest.fixture
def long_file(instructor: User, course: Course) -> Document:
    return upload(instructor, course, LONG, "long.txt")


async def test_a_large_file_is_streamed(long_file: Document, student_client: AsyncClient) -> None:
    response = await student_client.get(address(long_file, "file"))
    assert response.streaming
    assert await body(response) == LONG


async def test_what_was_fetched_before_is_not_sent_again(handout: Document, student_client: AsyncClient) -> None:
    for rest in ("file", "pages/1"):
        first = await student_client.get(address(handout, rest))
        again = await student_client.get(address(handout, rest), headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, await body(again)) == (304, b"")


async def test_a_page_is_drawn_small_once_and_goes_with_its_document(
    handout: Document, instructor: User, student_client: AsyncClient
) -> None:
    response = await student_client.get(address(handout, "pages/2"))
    assert (response.status_code, response["Content-Type"]) == (200, "image/webp")
    picture = Image.open(BytesIO(await body(response)))
    assert picture.width == 1100
    assert len(response.content) < 200_000
    folder = f"pages/{handout.pk}-{handout.sha256[:16]}"
    assert default_storage.listdir(folder)[1] == ["2.webp"]
    again = await student_client.get(address(handout, "pages/2"))
    assert again.content == response.content
    for number in (0, 7, 999):
        missing = await student_client.get(address(handout, f"pages/{number}"))
        assert missing.status_code == 404
    await sync_to_async(documents.remove)(user=instructor, document_id=handout.pk)
    assert not default_storage.exists(folder)


@pytest.mark.parametrize("rest", ["file", "pages/1"])
async def test_outsiders_find_nothing_and_visitors_are_asked_to_sign_in(
    handout: Document, strangers: list[AsyncClient], rest: str
) -> None:
    for stranger in strangers:
        response = await stranger.get(address(handout, rest))
        assert response.status_code == 404
    visitor = await AsyncClient().get(address(handout, rest))
    assert visitor.status_code == 302
    assert "/accounts/login" in visitor["Location"]


async def test_a_document_is_found_under_its_own_course_only(
    handout: Document, student: User, student_client: AsyncClient
) -> None:
    other = await sync_to_async(Course.objects.create)(code="X1", title="Other")
    await sync_to_async(other.enrolments.create)(user=student)
    response = await student_client.get(f"/courses/{other.pk}/documents/{handout.pk}/file")
    assert response.status_code == 404
