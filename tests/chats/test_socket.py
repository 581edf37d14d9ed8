"""The websocket of a conversation, against a real server."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest
import websockets
from django.contrib.auth.models import User

from chats.models import ChatSession, Message
from chats.services import sessions
from courses.models import Course
from tests.courses.material import read
from tests.fakes.fixtures import ModelServer
from tests.servers import GATED, Site, running_site, until
from tests.sockets import connect, open_page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def chat(student: User) -> ChatSession:
    """A conversation in no course."""
    return sessions.create(user=student)[0]


@pytest.fixture
def sourced(student: User, instructor: User, course: Course) -> ChatSession:
    """A conversation in a course with material."""
    read(instructor, course)
    return sessions.create(user=student, course_id=course.pk)[0]


async def test_a_question_is_acknowledged_answered_in_order_and_stored(
    model_site: Site, student: User, chat: ChatSession
) -> None:
    async with open_page(model_site, student, chat.pk) as page:
        client_id = await page.ask("What is gradient descent?")
        finished = await page.until("reply.finished")
        kinds = [frame["type"] for frame in page.frames if frame["type"] != "session.updated"]
    assert kinds[:3] == ["ready", "ack", "reply.started"]
    ack = page.frames[1]
    assert ack["client_id"] == client_id
    assert ack["message"]["content"] == "What is gradient descent?"
    assert finished["message"]["content"] == page.text
    assert finished["message"]["html"] == page.blocks
    assert finished["message"]["state"] == "complete"
    stored = await asyncio.to_thread(Message.objects.get, pk=finished["message"]["id"])
    assert (stored.state, stored.content) == ("complete", page.text)


async def test_sources_come_before_the_text_of_every_turn_on_every_page(
    model_site: Site, student: User, sourced: ChatSession
) -> None:
    chat = sourced
    async with open_page(model_site, student, chat.pk) as one, open_page(model_site, student, chat.pk) as two:
        for number in range(6):
            asking, other = (one, two) if number % 2 else (two, one)
            await asking.ask(f"What does the zanzibar effect do, once more ({number})?")
            await asking.until("reply.started")
            async with open_page(model_site, student, chat.pk) as late:
                ends = await asyncio.gather(*(page.until("reply.finished") for page in (asking, other)))
                if late.frames[0]["reply"] is not None:
                    await late.until("reply.finished")
            assert ends[0]["message"] == ends[1]["message"]
            assert ends[0]["message"]["sources"]
            for page in (asking, other):  # each frame's order is checked as it comes
                told = [frame for frame in page.frames if frame["type"] == "reply.sources"]
                assert told[-1]["reply_id"] == ends[0]["message"]["id"]
                assert len(told[-1]["sources"]) == len(ends[0]["message"]["sources"])
                assert page.text == ends[0]["message"]["content"]


def test_a_page_that_takes_its_frames_slowly_gets_a_long_reply_whole(
    transactional_db: None, tmp_path: Path, model_server: ModelServer, student: User, chat: ChatSession
) -> None:
    """What a connection does not take at once is sent later, before anything newer."""

    async def ask(site: Site) -> None:
        async with open_page(site, student, chat.pk) as page:
            page.connection.transport.pause_reading()
            await page.ask("Tell me all.")
            await asyncio.to_thread(
                until, Message.objects.filter(session=chat, role="assistant", state="complete").exists, what="the end"
            )
            page.connection.transport.resume_reading()
            finished = await page.until("reply.finished")
        assert max(len(json.dumps(frame)) for frame in page.frames) > 500_000  # more than is sent at once
        assert finished["message"]["content"] == page.text
        assert len(page.text.split()) == 60_000

    with running_site(tmp_path, OPENAI_BASE_URL=model_server.base_url, CHAT_MODEL="burst:60000") as site:
        asyncio.run(ask(site))


async def test_a_frame_before_the_page_was_let_in_is_answered_after_that(
    site: Site, student: User, chat: ChatSession
) -> None:
    async with connect(site, student, chat.pk) as page:
        client_id = await page.ask("Too early?")
        assert (await page.receive())["type"] == "ready"
        assert (await page.until("ack"))["client_id"] == client_id
    async with connect(site, None, chat.pk) as nobody:
        with contextlib.suppress(websockets.ConnectionClosed):  # it may be closed by then
            await nobody.ask("Whose is this?")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await nobody.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_resuming_an_ended_reply_does_not_end_the_watching_of_the_next(
    gated_site: Site, model_server: ModelServer, student: User, chat: ChatSession
) -> None:
    async with open_page(gated_site, student, chat.pk) as page:
        await page.ask("One?")
        await model_server.wait_async(GATED, "held")
        await asyncio.to_thread(model_server.release, GATED)
        ended = (await page.until("reply.finished"))["message"]
        await page.ask("Two?")
        await page.until("reply.delta")
        await page.send("resume", reply_id=ended["id"], attempt=1, after=0)
        assert (await page.until("reply.finished"))["message"] == ended
        await model_server.wait_async(GATED, "held")
        await asyncio.to_thread(model_server.release, GATED)
        finished = (await page.until("reply.finished"))["message"]
    assert finished["id"] != ended["id"]
    assert finished["content"] == page.text


async def test_without_a_model_the_tutor_says_so_and_titles_by_the_question(
    site: Site, student: User, chat: ChatSession
) -> None:
    async with open_page(site, student, chat.pk) as page:
        await page.ask("What is gradient descent?")
        finished = await page.until("reply.finished")
        while not any(frame["type"] == "session.updated" and frame["session"]["session_name"] for frame in page.frames):
            await page.receive()
    assert "No language model is configured" in finished["message"]["content"]
    named = [frame for frame in page.frames if frame["type"] == "session.updated"][-1]
    assert named["session"]["session_name"] == "What is gradient descent?"


async def test_a_second_page_sees_the_text_so_far_and_then_the_same(
    gated_site: Site, model_server: ModelServer, student: User, chat: ChatSession
) -> None:
    async with open_page(gated_site, student, chat.pk) as first:
        await first.ask("Tell me.")
        await first.until("reply.delta")
        async with open_page(gated_site, student, chat.pk) as second:
            assert second.text
            await asyncio.to_thread(model_server.release, GATED)
            ends = await asyncio.gather(first.until("reply.finished"), second.until("reply.finished"))
    assert ends[0]["message"] == ends[1]["message"]
    assert ends[0]["message"]["content"] == first.text


async def test_the_same_client_id_from_two_pages_is_one_turn(
    model_site: Site, student: User, chat: ChatSession
) -> None:
    async with open_page(model_site, student, chat.pk) as one, open_page(model_site, student, chat.pk) as two:
        await one.ask("Once?", client_id="same")
        await two.ask("Once?", client_id="same")
        acks = await asyncio.gather(one.until("ack"), two.until("ack"))
        assert acks[0]["message"]["id"] == acks[1]["message"]["id"]
        await one.until("reply.finished")
    assert await asyncio.to_thread(chat.messages.count) == 2


async def test_a_second_question_while_a_reply_runs_is_refused_by_its_client_id(
    site: Site, student: User, chat: ChatSession
) -> None:
    async with open_page(site, student, chat.pk) as page:
        await page.ask("One?")
        await page.until("reply.started")
        client_id = await page.ask("Two?")
        error = await page.until("error")
    assert (error["code"], error["client_id"]) == ("reply_running", client_id)


async def test_stop_keeps_what_was_shown(gated_site: Site, student: User, chat: ChatSession) -> None:
    async with open_page(gated_site, student, chat.pk) as page:
        await page.ask("Go on for ever.")
        await page.until("reply.delta")
        await page.send("stop")
        finished = await page.until("reply.finished")
    assert finished["message"]["state"] == "stopped"
    assert finished["message"]["content"] == page.text


@pytest.mark.parametrize(
    ("who", "code"),
    [("anonymous", 4401), ("outsider", 4404), ("teammate", 4404), ("instructor", 4404), ("operator", 4404)],
)
async def test_others_are_let_in_and_shown_out_with_a_code(
    site: Site, chat: ChatSession, request: pytest.FixtureRequest, who: str, code: int
) -> None:
    user = None if who == "anonymous" else await asyncio.to_thread(request.getfixturevalue, who)
    async with connect(site, user, chat.pk) as page:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await page.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


async def test_an_address_that_is_no_session_is_not_there(site: Site, student: User) -> None:
    async with connect(site, student, "nothing-of-mine") as page:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await page.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4404


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "http://localhost", "null"])
async def test_a_foreign_origin_is_refused_in_the_handshake(
    site: Site, student: User, chat: ChatSession, origin: str
) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(site, student, chat.pk, origin=origin):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "frame",
    ["", "{", "[]", "null", '{"action": "fly"}', '{"action": []}', '{"action": "send"}', "[" * 100_000, '"\\ud800"'],
)
async def test_a_bad_frame_gets_an_error_and_the_socket_lives_on(
    site: Site, student: User, chat: ChatSession, frame: str
) -> None:
    async with open_page(site, student, chat.pk) as page:
        await page.connection.send(frame)
        assert (await page.receive())["type"] == "error"
        await page.send("ping")
        await page.until("pong")


async def test_a_message_beyond_the_limit_gets_an_error_with_its_client_id(
    site: Site, student: User, chat: ChatSession
) -> None:
    async with open_page(site, student, chat.pk) as page:
        client_id = await page.ask("x" * 32_001)
        error = await page.until("error")
    assert (error["code"], error["client_id"]) == ("message_too_long", client_id)


async def test_leaving_the_course_closes_the_socket_at_once(site: Site, student: User, course: Course) -> None:
    chat, _ = await asyncio.to_thread(lambda: sessions.create(user=student, course_id=course.pk))
    async with open_page(site, student, chat.pk) as page:
        enrolment = await asyncio.to_thread(course.enrolments.get, user=student)
        await asyncio.to_thread(enrolment.delete)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await page.receive(30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403


async def test_resume_gives_what_came_after(model_site: Site, student: User, chat: ChatSession) -> None:
    async with open_page(model_site, student, chat.pk) as page:
        await page.ask("Tell me.")
        finished = await page.until("reply.finished")
        page.text = page.text[:3]  # which it says to have: the reply may still be at hand, and is told from there
        await page.send("resume", reply_id=finished["message"]["id"], attempt=1, after=3)
        again = await page.until("reply.finished")
    assert again["message"] == finished["message"]


async def test_editing_and_switching_branches_reach_other_pages(
    model_site: Site, student: User, chat: ChatSession
) -> None:
    async with open_page(model_site, student, chat.pk) as page, open_page(model_site, student, chat.pk) as other:
        await page.ask("What is bais?")
        first = (await page.until("reply.finished"))["message"]
        await page.send("edit", message_id=first["parent_id"], text="What is bias?", client_id="e1")
        second = (await page.until("reply.finished"))["message"]
        question = (await other.until("message", lambda f: f["message"]["content"] == "What is bias?"))["message"]
        assert question["siblings"] == [first["parent_id"], second["parent_id"]]
        await page.send("branch", message_id=first["parent_id"])
        shown = await other.until("session.updated", lambda frame: frame["head_id"] == first["id"])
    assert shown["session"]["message_count"] == 2


def test_a_reply_begun_by_a_program_is_made_by_a_web_process(site: Site, student: User, chat: ChatSession) -> None:
    from chats import replies

    turn = replies.ask(user=student, session_id=chat.pk, text="What is bias?")
    until(lambda: Message.objects.get(pk=turn.reply.pk).state != "queued", what="a web process to take it")


def test_frames_are_json_with_their_type(chat: ChatSession) -> None:
    from chats.consumers.frames import encode

    assert json.loads(encode("pong")) == {"type": "pong"}
