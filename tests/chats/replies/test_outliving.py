"""A reply outlives its viewers and its process: real `manage.py serve` processes, killed, frozen and ended."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import websockets
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection

from chats.consumers.visitor import NO_LONGER_YOURS
from chats.models import ChatSession, Message, ReplyAttempt
from tests.chats.replies.conftest import LEASE_SECONDS, Crew
from tests.fakes.fixtures import ModelServer
from tests.servers import SERVERS, Site, until
from tests.sockets import Page, open_page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("faults")]
WORDS = 20  # in a reply of the fake model, five of them before a gate


async def begin(page: Page) -> str:
    """Ask, wait for the first words, and return the reply's id."""
    await page.ask("Tell me.")
    started = await page.until("reply.started")
    while len(page.text.split()) < 5:
        await page.until("reply.delta")
    return str(started["reply_id"])


async def closed_with(page: Page) -> int | None:
    """Receive until the server closes the socket, and return its code."""
    try:
        while True:
            await page.receive()
    except websockets.ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


def journaled(reply_id: str) -> bool:
    return Message.objects.get(pk=reply_id).chunks.exists()


async def wait(condition: Any, seconds: float = 20) -> Any:
    return await asyncio.to_thread(until, condition, seconds)


async def test_another_process_completes_what_a_killed_one_began(
    crew: Crew, model_server: ModelServer, student: User, chat: ChatSession
) -> None:
    model = "gated:5#killed"
    one, two = await asyncio.to_thread(crew.start, 2, CHAT_MODEL=model)
    async with open_page(one, student, chat.pk) as asking, open_page(two, student, chat.pk) as watching:
        reply_id = await begin(asking)
        await watching.until("reply.delta")
        await wait(lambda: journaled(reply_id))
        victim = await asyncio.to_thread(crew.who_makes, reply_id)
        page = watching if victim is one else asking
        killed_at = time.monotonic()
        await asyncio.to_thread(crew.kill, victim)
        restarted = await page.until("reply.restarted")
        assert restarted["attempt"] == 2
        assert page.text == ""
        assert time.monotonic() - killed_at < LEASE_SECONDS + 4  # 2 s of grace, 2 s for a busy machine
        await model_server.wait_async(model, "held")
        await asyncio.to_thread(model_server.release, model)
        finished = await page.until("reply.finished")
    assert finished["message"]["state"] == "complete"
    assert finished["message"]["content"] == page.text or page is watching
    assert len(finished["message"]["content"].split()) == WORDS
    outcomes = ReplyAttempt.objects.filter(reply_id=reply_id).order_by("attempt")
    assert await asyncio.to_thread(lambda: [run.outcome for run in outcomes]) == ["interrupted", "complete"]


async def test_the_next_start_completes_at_once_what_the_process_left(
    crew: Crew, model_server: ModelServer, student: User, chat: ChatSession
) -> None:
    model = "gated:5#next-start"
    (site,) = await asyncio.to_thread(crew.start, 1, CHAT_MODEL=model, RUNNER_LEASE_SECONDS="600")
    async with open_page(site, student, chat.pk) as page:
        reply_id = await begin(page)
        await wait(lambda: journaled(reply_id))
        await asyncio.to_thread(crew.kill, site)
    (again,) = await asyncio.to_thread(crew.start, 1, CHAT_MODEL=model, RUNNER_LEASE_SECONDS="600")
    await wait(lambda: Message.objects.filter(pk=reply_id, state="streaming", attempt=2).exists(), 10)
    async with open_page(again, student, chat.pk) as page:
        await model_server.wait_async(model, "held")
        await asyncio.to_thread(model_server.release, model)
        finished = await page.until("reply.finished")
    assert (finished["message"]["state"], finished["message"]["content"]) == ("complete", page.text)


async def test_a_reply_that_kills_three_processes_fails_and_keeps_its_text(
    crew: Crew, student: User, chat: ChatSession
) -> None:
    sites = await asyncio.to_thread(crew.start, 4, CHAT_MODEL="gated:5#poison")
    async with open_page(sites[0], student, chat.pk) as page:
        reply_id = await begin(page)
    for _ in range(3):
        attempt = await asyncio.to_thread(lambda: Message.objects.get(pk=reply_id).attempt)
        victim = await asyncio.to_thread(crew.who_makes, reply_id)
        await wait(lambda: Message.objects.get(pk=reply_id).chunks.filter(attempt=attempt).exists())  # noqa: B023
        await asyncio.to_thread(crew.kill, victim)
        await wait(lambda: Message.objects.get(pk=reply_id).attempt > attempt or attempt == 3)  # noqa: B023
    await wait(lambda: Message.objects.get(pk=reply_id).state == "failed")
    reply = await asyncio.to_thread(Message.objects.get, pk=reply_id)
    assert (reply.error_code, reply.attempt, len(reply.content.split())) == ("interrupted", 3, 5)
    assert "Try again" in reply.error_message


@pytest.mark.skipif(connection.vendor == "sqlite", reason="on SQLite a frozen process keeps its lease: a file lock")
async def test_a_frozen_process_whose_lease_was_taken_can_do_nothing_more(
    crew: Crew, model_server: ModelServer, student: User, chat: ChatSession
) -> None:
    model = "gated:5#frozen"
    one, two = await asyncio.to_thread(crew.start, 2, CHAT_MODEL=model)
    async with open_page(one, student, chat.pk) as asking, open_page(two, student, chat.pk) as watching:
        reply_id = await begin(asking)
        await watching.until("reply.delta")
        frozen = await asyncio.to_thread(crew.who_makes, reply_id)
        there, elsewhere = (asking, watching) if frozen is one else (watching, asking)
        frozen.kill(signal.SIGSTOP)
        assert (await elsewhere.until("reply.restarted"))["attempt"] == 2
        # Both model streams go on to their ends; the frozen process has not read its own yet.
        await model_server.wait_async(model, "held", 2)
        await asyncio.to_thread(model_server.release, model)
        finished = await elsewhere.until("reply.finished")
        seen = len(there.frames)
        frozen.kill(signal.SIGCONT)
        told = await there.until("reply.finished")
    assert told["message"] == finished["message"]
    assert not [f for f in there.frames[seen:] if f["type"] == "reply.delta" and f["attempt"] == 1]
    outcomes = ReplyAttempt.objects.filter(reply_id=reply_id).order_by("attempt")
    assert await asyncio.to_thread(lambda: [run.outcome for run in outcomes]) == ["interrupted", "complete"]


@pytest.mark.parametrize("server", SERVERS)
async def test_a_process_that_is_asked_to_end_hands_its_replies_over(
    crew: Crew, model_server: ModelServer, student: User, chat: ChatSession, server: str
) -> None:
    model = f"gated:5#sigterm-{server}"
    settings = {
        "ASGI_SERVER": server,
        "CHAT_MODEL": model,
        "SHUTDOWN_GRACE_SECONDS": "1",
        "RUNNER_LEASE_SECONDS": "600",
    }
    one, two = await asyncio.to_thread(lambda: crew.start(2, **settings))
    async with open_page(one, student, chat.pk) as first, open_page(two, student, chat.pk) as second:
        reply_id = await begin(first)
        await second.until("reply.delta")
        leaving = await asyncio.to_thread(crew.who_makes, reply_id)
        there, elsewhere = (first, second) if leaving is one else (second, first)
        leaving.kill(signal.SIGTERM)
        assert (await elsewhere.until("reply.restarted"))["attempt"] == 2
        assert await closed_with(there) == 1012
        await model_server.wait_async(model, "held")
        await asyncio.to_thread(model_server.release, model)
        finished = await elsewhere.until("reply.finished")
    assert await asyncio.to_thread(leaving.process.wait, 20) == 0
    assert finished["message"]["state"] == "complete"
    outcomes = ReplyAttempt.objects.filter(reply_id=reply_id).order_by("attempt")
    assert await asyncio.to_thread(lambda: [run.outcome for run in outcomes]) == ["handed_over", "complete"]


@asynccontextmanager
async def page_that_takes_nothing(site: Site, student: User, chat: ChatSession) -> AsyncIterator[Page]:
    """One with more on its way to it than the system's buffers take."""
    async with open_page(site, student, chat.pk) as page, open_page(site, student, chat.pk) as other:
        page.connection.transport.pause_reading()
        for _ in range(5):
            await other.ask("Tell me all.")
            await other.until("reply.finished")
        yield page
        page.connection.transport.resume_reading()


@pytest.mark.parametrize("server", SERVERS)
async def test_a_page_that_takes_nothing_does_not_hold_up_the_end(
    crew: Crew, student: User, chat: ChatSession, server: str
) -> None:
    (site,) = await asyncio.to_thread(lambda: crew.start(1, ASGI_SERVER=server, CHAT_MODEL="burst:60000"))
    async with page_that_takes_nothing(site, student, chat), open_page(site, student, chat.pk) as other:
        site.kill(signal.SIGTERM)
        assert await closed_with(other) == 1012
        assert await asyncio.to_thread(site.process.wait, 10) == 0


@pytest.mark.parametrize("server", SERVERS)
async def test_a_page_that_takes_nothing_does_not_keep_others_open(
    crew: Crew, student: User, chat: ChatSession, server: str
) -> None:
    (site,) = await asyncio.to_thread(lambda: crew.start(1, ASGI_SERVER=server, CHAT_MODEL="burst:60000"))
    async with page_that_takes_nothing(site, student, chat), AsyncExitStack() as stack:
        others = [await stack.enter_async_context(open_page(site, student, chat.pk)) for _ in range(8)]
        await asyncio.to_thread(
            Session.objects.all().delete
        )  # by the database alone: only a look at all pages finds it
        assert [await closed_with(other) for other in others] == [NO_LONGER_YOURS] * 8
