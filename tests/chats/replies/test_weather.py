"""Redis or PostgreSQL away, a full disk, a locked file: slower or refused with a clear error, and nothing is lost."""

import asyncio
import resource
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chats.models import ChatSession, Message, ReplyChunk, Runner
from chats.services import sessions, turns
from chats.services.replies import Piece, flush
from tests.chats.replies.conftest import Crew
from tests.fakes.fixtures import ModelServer
from tests.servers import cookies, database_url, until
from tests.services import Postgres, Redis, missing
from tests.sockets import Page, open_page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("faults")]


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = Redis()
    yield server
    server.end()


async def test_without_redis_viewers_elsewhere_read_the_journal_and_recover_when_it_returns(
    crew: Crew, model_server: ModelServer, own_redis: Redis, student: User, chat: ChatSession
) -> None:
    model = "gated:5#redis"
    one, two = await asyncio.to_thread(lambda: crew.start(2, CHAT_MODEL=model, REDIS_URL=own_redis.url))
    async with open_page(one, student, chat.pk) as asking, open_page(two, student, chat.pk) as watching:
        await asking.ask("Tell me.")
        while len(watching.text.split()) < 5:
            await watching.until("reply.delta")
        for site in (one, two):
            site.logged = site.log.stat().st_size
        await asyncio.to_thread(own_redis.stop)
        await asyncio.to_thread(model_server.release, model, 5)
        while len(watching.text.split()) < 10:
            await watching.until("reply.delta")
        async with open_page(two, student, chat.pk) as late:
            assert len(late.text.split()) >= 5
            await asyncio.to_thread(model_server.release, model)
            ends = [await page.until("reply.finished") for page in (asking, watching, late)]
        assert ends[0]["message"] == ends[1]["message"] == ends[2]["message"]
        assert ends[0]["message"]["content"] == asking.text
        await asking.ask("And without Redis?")
        await watching.until("message")
        await asyncio.to_thread(own_redis.start)
        await model_server.wait_async(model, "held")
        await asyncio.to_thread(model_server.release, model)
        await asyncio.gather(asking.until("reply.finished"), watching.until("reply.finished"))
    for site in (one, two):
        await asyncio.to_thread(until, lambda: "news between processes again" in site.new_log())  # noqa: B023
        said = [line for line in site.new_log().splitlines() if "news between processes" in line]
        assert len(said) == 2, said
        assert "Traceback" not in site.new_log()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's disk is PostgreSQL's")
async def test_a_full_disk_is_a_clear_error_and_the_same_question_is_taken_once_there_is_room(
    crew: Crew, student: User, chat: ChatSession
) -> None:
    (site,) = await asyncio.to_thread(crew.start, 1, CHAT_MODEL="plain:5")
    async with open_page(site, student, chat.pk) as page:
        # No file may grow beyond this: to the process it is as if the disk were full.
        resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        await page.ask("Is there room?", client_id="full")
        error = await page.until("error")
        assert (error["code"], error["client_id"]) == ("unavailable", "full")
        assert "kept" in error["detail"]
        assert not await asyncio.to_thread(chat.messages.exists)
        resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        await page.ask("Is there room?", client_id="full")
        await page.until("ack")
        await page.until("reply.finished")
    assert await asyncio.to_thread(chat.messages.count) == 2


@pytest.mark.skipif(connection.vendor != "sqlite", reason="nobody locks PostgreSQL's files")
async def test_a_locked_database_is_a_clear_error_and_the_same_question_is_taken_once_it_is_free(
    crew: Crew, student: User, chat: ChatSession
) -> None:
    settings = {"CHAT_MODEL": "plain:5", "DATABASE_URL": f"{database_url()}?timeout=1"}
    (site,) = await asyncio.to_thread(lambda: crew.start(1, **settings))
    async with open_page(site, student, chat.pk) as page:
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as somebody_else:
            somebody_else.execute("BEGIN IMMEDIATE")
            await page.ask("Is it free?", client_id="locked")
            error = await page.until("error")
        assert (error["code"], error["client_id"]) == ("unavailable", "locked")
        assert "kept" in error["detail"]
        assert not await asyncio.to_thread(chat.messages.exists)
        await page.ask("Is it free?", client_id="locked")
        await page.until("ack")
        await page.until("reply.finished")
    assert await asyncio.to_thread(chat.messages.count) == 2


@pytest.fixture
def own_postgres(student: User, chat: ChatSession) -> Iterator[tuple[Postgres, str, str]]:
    """A PostgreSQL to be restarted at will, its copy of this test's database, and a cookie."""
    if connection.vendor != "postgresql":
        pytest.skip("is about PostgreSQL")
    if problem := missing():
        pytest.skip(problem)
    cookie = cookies(student)
    server = Postgres()
    yield server, server.copy(database_url(), "copied"), cookie
    server.end()


async def test_live_text_goes_on_while_postgresql_restarts_and_the_journal_catches_up(
    chat: ChatSession, own_postgres: tuple[Postgres, str, str], crew: Crew, model_server: ModelServer
) -> None:
    model = "gated:5#restart"
    server, url, cookie = own_postgres
    (site,) = await asyncio.to_thread(lambda: crew.start(1, CHAT_MODEL=model, DATABASE_URL=url, REDIS_URL=""))
    async with open_page(site, None, chat.pk, cookie=cookie) as page:
        await page.ask("Tell me.")
        await shown(page, 5)
        await asyncio.to_thread(until, lambda: len(journal(url).split()) == 5)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(model_server.release, model, 5)
        await shown(page, 10)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(until, lambda: len(journal(url).split()) == 10)
        assert journal(url) == page.text
        await asyncio.to_thread(model_server.release, model)
        finished = await page.until("reply.finished")
    assert (finished["message"]["state"], finished["message"]["content"]) == ("complete", page.text)
    assert len(page.text.split()) == 20
    assert {frame["attempt"] for frame in page.frames if frame["type"] == "reply.delta"} == {1}
    assert journal(url) == ""


def test_whoever_asks_while_postgresql_is_away_is_told_to_wait(
    chat: ChatSession, own_postgres: tuple[Postgres, str, str], crew: Crew
) -> None:
    server, url, cookie = own_postgres
    (site,) = crew.start(1, DATABASE_URL=url, REDIS_URL="")
    with httpx.Client(base_url=site.url, headers={"cookie": cookie}, timeout=30) as browser:
        assert browser.get(f"/chats/{chat.pk}").status_code == 200
        server.stop()
        page, answer = browser.get(f"/chats/{chat.pk}"), browser.get(f"/api/sessions/{chat.pk}")
        assert (page.status_code, "Just a moment" in page.text) == (503, True)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert browser.get("/health/ready").json()["checks"]["migrations"] == "not asked: the database is away"
        server.start()
        until(lambda: browser.get(f"/chats/{chat.pk}").status_code == 200)
    assert "Traceback" not in site.log.read_text()


async def shown(page: Page, words: int) -> None:
    while len(page.text.split()) < words:
        await page.until("reply.delta")


def journal(url: str) -> str:
    """The text in the journal of the only reply there."""
    with psycopg.connect(url) as there:
        rows = there.execute('SELECT text FROM chats_replychunk ORDER BY attempt, "offset"')
        return "".join(text for (text,) in rows)


def test_all_replies_of_a_process_share_its_journals_transactions(crew: Crew, student: User) -> None:
    """A round every 200 ms at most, however many replies there are: a slow machine makes fewer, never more."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite does not say which transaction wrote a row")
    replies = 30
    crew.start(1, CHAT_MODEL="plain:4000@20")
    began = time.monotonic()
    for _ in range(replies):
        turns.ask(user=student, session_id=sessions.create(user=student)[0].pk, text="Tell me.")
    written_twice = ReplyChunk.objects.filter(offset__gt=0).values("reply").distinct()
    until(lambda: written_twice.count() == replies, what="all replies to be in the journal")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text), count(*) FROM chats_replychunk")
        transactions, chunks = cursor.fetchone()
    assert transactions <= (time.monotonic() - began) / 0.2 + 1
    assert chunks > 2 * transactions


def test_a_round_of_the_journal_costs_as_many_statements_for_300_replies_as_for_one(student: User) -> None:
    runner = Runner.objects.create(host="here", pid=1, heartbeat_at=timezone.now())
    chats = ChatSession.objects.bulk_create(ChatSession(user=student) for _ in range(300))
    made = {"role": "assistant", "state": "streaming", "attempt": 1, "runner": runner, "ordinal": 2}
    running = [reply.pk for reply in Message.objects.bulk_create(Message(session=chat, **made) for chat in chats)]
    costs = []
    for count, offset in ((1, 0), (300, 3)):
        pieces = [Piece(reply_id, 1, "text", offset, "and") for reply_id in running[:count]]
        with CaptureQueriesContext(connection) as said:
            flushed = flush(runner_id=runner.pk, running=running[:count], pieces=pieces)
        assert flushed.held == set(running[:count])
        costs.append([query["sql"].split()[0] for query in said])
    assert ReplyChunk.objects.count() == 301
    assert costs[0][0] == "BEGIN"
    assert costs[0].count("COMMIT") == 1
    assert len(costs[0]) == len(costs[1]), costs
