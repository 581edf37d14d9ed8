"""Whatever is typed, posted or sent: a clear error or inert text, and everything lives on."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from chats.models import ChatSession, Message
from chats.services import sessions
from core import tokens
from core.text import storable
from courses.models import Course
from tests.chats.markup.reading import assert_safe
from tests.courses import material
from tests.servers import Site, answers, cookies
from tests.sockets import Page, connect, open_page

MOST = settings.MESSAGE_MAX_CHARS
TAKEN = {
    "NUL": "a\x00b",
    "half of a pair": "a\ud800b",
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd\u202c <b>",
    "emoji": "👩🏽\u200d🔬" * 2_000,
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "quotes in quotes": ">" * 10_000,
    "brackets in brackets": "[" * 10_000,
    "links in links": "[a](" * 8_000,
    "a long formula": "$" + "x" * (MOST - 2) + "$",
    "a deep formula": "$$" + "\\frac{" * 5_000 + "$$",
    "lists in lists": "- " * 15_000,
    "many words": " ".join(f"boiling{number}" for number in range(2_000)),
    "operators": "\" OR NEAR( AND * ^ : - {body} \\ % _ ' ; --",
}
REFUSED = {
    "nothing": "",
    "blanks": " \n\t\u00a0",
    "a megabyte": "x" * 1_000_000,
    "a formula of a million": "$" + "x" * 1_000_000 + "$",
    "a megabyte of quotes": ">" * 1_000_000,
}


@pytest.fixture
def taught(course: Course, instructor: User, transactional_db: Any) -> Course:
    """A course with something to be found in it."""
    material.read(instructor, course)
    return course


@pytest.mark.django_db(transaction=True)
async def test_the_socket_takes_or_refuses_each_and_lives_on(site: Site, student: User, taught: Course) -> None:
    async def ask(text: str) -> tuple[ChatSession, dict[str, Any]]:
        chat, _ = await asyncio.to_thread(sessions.create, user=student, course_id=taught.pk)
        async with open_page(site, student, chat.pk) as page:
            client_id = await page.ask(text)
            ended = await page.until("error" if text in REFUSED.values() else "reply.finished", seconds=40)
            assert ended.get("client_id", client_id) == client_id
            await page.send("ping")
            await page.until("pong")
        sources = [source["url"] for frame in page.frames for source in frame.get("sources", [])]
        for frame in page.frames:
            assert_safe(frame.get("html", []), paths=tuple(sources))
        return chat, ended

    asked = await asyncio.gather(*map(ask, [*TAKEN.values(), *REFUSED.values()]))
    for (chat, ended), text in zip(asked, TAKEN.values(), strict=False):
        assert ended["message"]["state"] == "complete"
        question = await asyncio.to_thread(Message.objects.get, session=chat, role="user")
        assert question.content == storable(text)
        seen = await asyncio.to_thread(page_of, site, student, chat)
        assert "<script>alert" not in seen
        assert "<img src=x" not in seen
    for (_, ended), text in zip(asked[len(TAKEN) :], REFUSED.values(), strict=True):
        assert ended["code"] == ("message_too_long" if text.strip() else "invalid")
    assert answers(site)


def page_of(site: Site, user: User, chat: ChatSession) -> str:
    answered = httpx.get(f"{site.url}/chats/{chat.pk}", headers={"Cookie": cookies(user)}, timeout=30)
    assert answered.status_code == 200
    return answered.text


@pytest.mark.django_db(transaction=True)
async def test_no_field_of_a_frame_breaks_the_socket(site: Site, student: User) -> None:
    chat, _ = await asyncio.to_thread(lambda: sessions.create(user=student))
    odd: list[Any] = ["\x00", "\ud800", "x" * 5_000, 10**30, -1, 1.5, True, None, [], {}, ["\x00"], {"\x00": "\ud800"}]
    frames = [
        *({"action": "send", "client_id": value, "text": ""} for value in odd),
        *({"action": "send", "client_id": "a", "text": value} for value in odd[3:]),
        *({"action": "edit", "client_id": "a", "text": "a", "message_id": value} for value in odd),
        *({"action": "regenerate", "message_id": value} for value in odd),
        *({"action": "branch", "message_id": value} for value in odd),
        *({"action": "stop", "reply_id": value} for value in odd),
        *({"action": "resume", "reply_id": value, "attempt": value, "after": value} for value in odd),
    ]
    async with open_page(site, student, chat.pk) as page:
        for frame in frames:
            await page.send(frame.pop("action"), **frame)
            await page.send("ping")
            await page.until("pong")
        assert {frame["type"] for frame in page.frames} <= {"ready", "error", "pong"}
    assert await asyncio.to_thread(chat.messages.count) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("client_id", ["\x00", "\ud800"])
async def test_an_id_that_no_database_can_hold_is_refused(site: Site, student: User, client_id: str) -> None:
    chat, _ = await asyncio.to_thread(lambda: sessions.create(user=student))
    async with connect(site, student, chat.pk) as page:
        await page.until("ready")
        await refused(page, client_id)
    assert await asyncio.to_thread(chat.messages.count) == 0


async def refused(page: Page, client_id: str) -> None:
    await page.ask("What is bias?", client_id=client_id)
    error = await page.until("error")
    assert error["code"] == "invalid"


@pytest.mark.django_db
def test_a_form_is_taken_or_given_back_with_the_reason(client: Client, student: User, course: Course) -> None:
    client.force_login(student)
    for name, text in (TAKEN | REFUSED).items():
        given = f"course={course.pk}&text=".encode() + quote(text, errors="surrogatepass").encode()
        response = client.post("/chats", given, content_type="application/x-www-form-urlencoded")
        assert response.status_code == (302 if name in TAKEN else 422), name
        if name in TAKEN:
            page = client.get(response["Location"]).content.decode()
            assert "<script>alert" not in page, name
        else:
            assert "Write a question first" in response.content.decode() or "are allowed" in response.content.decode()
    assert ChatSession.objects.count() == len(TAKEN)


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["course", "client_id"])
def test_no_hidden_field_breaks_a_form(client: Client, student: User, course: Course, field: str) -> None:
    client.force_login(student)
    for value in (b"%00", b"%ED%A0%80", b"\xff", b"x" * 5_000, b"%F0%9F%98%80", b"[]"):
        fields = {"course": str(course.pk).encode(), "client_id": b"1", "text": b"Why?", field: value}
        body = b"&".join(name.encode() + b"=" + given for name, given in fields.items())
        response = client.post("/chats", body, content_type="application/x-www-form-urlencoded")
        assert response.status_code in (302, 404, 422), value


@pytest.mark.django_db
def test_programs_get_each_back_as_it_was_kept_or_a_reason(client: Client, student: User) -> None:
    chat, _ = sessions.create(user=student)
    secret = tokens.create(user=student, name="test")[1]
    headers = {"Authorization": f"Bearer {secret}"}
    path = f"/api/sessions/{chat.pk}/messages"
    for name, text in (TAKEN | REFUSED).items():
        body = {"messages": [{"role": "user", "content": text}]}
        response = client.post(path, body, content_type="application/json", headers=headers)
        if response.status_code == 201:
            assert response.json()["messages"][0]["content"] == storable(text), name
        else:
            assert response.status_code == 422, name
            assert response.json()["code"], name
            assert name in REFUSED
