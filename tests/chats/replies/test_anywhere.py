"""The same conversation through two processes: watching, stopping, asking again, branches, and being shown out."""

import asyncio
import statistics
import time
from collections.abc import Callable

import pytest
import websockets
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from chats.models import ChatSession, Message
from chats.services import sessions
from courses.models import Course
from tests.chats.replies.conftest import Crew
from tests.fakes.fixtures import ModelServer
from tests.servers import Site, cookies, until
from tests.sockets import Page, open_page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("faults")]


async def closed_with(page: Page) -> int | None:
    """Receive until the server closes the socket, and return its code."""
    try:
        while True:
            await page.receive()
    except websockets.ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


async def test_a_viewer_on_another_process_sees_the_text_so_far_and_then_all_of_it(
    crew: Crew, model_server: ModelServer, student: User, chat: ChatSession
) -> None:
    model = "gated:5#two-processes"
    one, two = await asyncio.to_thread(crew.start, 2, CHAT_MODEL=model)
    async with open_page(one, student, chat.pk) as asking:
        await asking.ask("Tell me.")
        reply_id = (await asking.until("reply.started"))["reply_id"]
        while len(asking.text.split()) < 5:
            await asking.until("reply.delta")
        await asyncio.to_thread(until, Message.objects.filter(pk=reply_id, chunks__isnull=False).exists)
        async with open_page(two, student, chat.pk) as late:
            while len(late.text.split()) < 5:
                await late.until("reply.delta")
            await asyncio.to_thread(model_server.release, model, 10)
            await model_server.wait_async(model, "held")
            while len(late.text.split()) < 15:
                await late.until("reply.delta")
            await asyncio.to_thread(model_server.release, model)
            ends = await asyncio.gather(asking.until("reply.finished"), late.until("reply.finished"))
    assert ends[0]["message"] == ends[1]["message"]
    assert ends[0]["message"]["content"] == asking.text
    assert ends[0]["message"]["content"].startswith(late.text)


async def test_stop_from_another_process_takes_effect_within_300_ms_even_before_the_first_token(
    crew: Crew, student: User, chat: ChatSession
) -> None:
    one, two = await asyncio.to_thread(crew.start, 2, CHAT_MODEL="silent")
    took = []
    async with open_page(one, student, chat.pk) as asking, open_page(two, student, chat.pk) as other:
        for number in range(3):
            await asking.ask(f"Number {number}?")
            reply_id = (await other.until("reply.started"))["reply_id"]
            await asyncio.to_thread(crew.who_makes, reply_id)
            await other.send("stop")
            finished = await asking.until("reply.finished")
            await other.until("reply.finished")
            assert (finished["message"]["state"], finished["message"]["content"]) == ("stopped", "")
            reply = await asyncio.to_thread(Message.objects.get, pk=reply_id)
            assert reply.stop_requested_at is not None
            assert reply.finished_at is not None
            took.append((reply.finished_at - reply.stop_requested_at).total_seconds())
    assert statistics.median(took) < 0.3, took


async def test_a_question_whose_acknowledgement_was_lost_is_one_turn_when_sent_again_elsewhere(
    crew: Crew, student: User, chat: ChatSession
) -> None:
    one, two = await asyncio.to_thread(crew.start, 2, CHAT_MODEL="plain:20@5")
    async with open_page(one, student, chat.pk) as page:
        await page.ask("Only once?", client_id="lost-ack")
        await asyncio.to_thread(until, lambda: Message.objects.filter(client_id="lost-ack").exists())
        page.connection.transport.abort()
    async with open_page(two, student, chat.pk) as page:
        await page.ask("Only once?", client_id="lost-ack")
        await page.until("ack")
        await asyncio.to_thread(until, lambda: not Message.objects.running().exists())
        await page.ask("Only once?", client_id="lost-ack")
        await page.until("ack")
    assert await asyncio.to_thread(chat.messages.count) == 2


async def test_editing_regenerating_and_branches_are_seen_on_the_other_process(
    crew: Crew, student: User, chat: ChatSession
) -> None:
    one, two = await asyncio.to_thread(crew.start, 2, CHAT_MODEL="plain:5")
    async with open_page(one, student, chat.pk) as page, open_page(two, student, chat.pk) as other:
        await page.ask("What is bais?")
        first = (await page.until("reply.finished"))["message"]
        await other.until("session.updated", lambda frame: frame["head_id"] == first["id"])
        await page.send("edit", message_id=first["parent_id"], text="What is bias?", client_id="e1")
        edited = (await page.until("reply.finished"))["message"]
        await other.until("session.updated", lambda frame: frame["head_id"] == edited["id"])
        await other.send("regenerate", message_id=edited["id"])
        again = (await other.until("reply.finished", lambda f: f["message"]["id"] != edited["id"]))["message"]
        assert again["siblings"] == [edited["id"], again["id"]]
        await page.until("session.updated", lambda frame: frame["head_id"] == again["id"])
        await other.send("branch", message_id=first["id"])
        await page.until("session.updated", lambda frame: frame["head_id"] == first["id"])


def sign_out(site: Site, student: User, cookie: str, chat: ChatSession) -> None:
    client = Client()
    for pair in cookie.split("; "):
        name, value = pair.split("=", 1)
        client.cookies[name] = value
    client.post("/accounts/logout/")


def change_password(site: Site, student: User, cookie: str, chat: ChatSession) -> None:
    student.set_password("another-pass-word-2")
    student.save()


def deactivate(site: Site, student: User, cookie: str, chat: ChatSession) -> None:
    student.is_active = False
    student.save()


def unenrol(site: Site, student: User, cookie: str, chat: ChatSession) -> None:
    student.enrolments.all().delete()


@pytest.mark.parametrize("change", [sign_out, change_password, deactivate, unenrol])
async def test_who_may_not_be_there_any_more_is_shown_out_on_every_process(
    crew: Crew, student: User, course: Course, change: Callable[[Site, User, str, ChatSession], None]
) -> None:
    sites = await asyncio.to_thread(crew.start, 2)
    chat, _ = await asyncio.to_thread(lambda: sessions.create(user=student, course_id=course.pk))
    cookie = await asyncio.to_thread(cookies, student)
    pages = [await connected(site, chat, cookie) for site in sites]
    began = time.monotonic()
    await asyncio.to_thread(change, sites[0], student, cookie, chat)
    assert await asyncio.gather(*(closed_with(page) for page in pages)) == [4403, 4403]
    assert time.monotonic() - began < (2 if settings.REDIS_URL else 4)
    await asyncio.gather(*(page.connection.close() for page in pages))


async def connected(site: Site, chat: ChatSession, cookie: str) -> Page:
    connection = await websockets.connect(
        site.socket_url(chat.pk),
        additional_headers={"Cookie": cookie},
        origin=site.origin,  # type: ignore[arg-type]
    )
    page = Page(connection)
    await page.until("ready")
    return page
