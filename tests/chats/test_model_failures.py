"""Models that fail, seen from the page: what came stays, the reason can be read, and one can try again."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import Client

from chats.models import ChatSession, Message
from chats.services import sessions, turns
from core import tokens
from tests.fakes.fixtures import ModelServer
from tests.fakes.scenarios import words
from tests.servers import Fleet, Site, clean, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once_with_postgres]


@pytest.fixture
def quick_site(transactional_db: Any, fleet: Fleet, model_server: ModelServer) -> Iterator[Site]:
    """A web process that waits for no model for long."""
    yield from clean(
        fleet.get(
            "impatient",
            OPENAI_BASE_URL=model_server.base_url,
            CHAT_MODEL="plain:20",
            TITLE_MODEL="plain:3",
            REPLY_SILENCE_SECONDS="3",
            REPLY_TIMEOUT_SECONDS="8",
        )
    )


@pytest.fixture
def deaf_site(transactional_db: Any, fleet: Fleet) -> Iterator[Site]:
    """A web process whose model server is not there."""
    yield from clean(fleet.get("deaf", OPENAI_BASE_URL="http://127.0.0.1:1/v1", REPLY_TIMEOUT_SECONDS="8"))


def answer(site: Site, user: User, model: str = "", *, history: int = 0) -> Message:
    """Ask in a new conversation, with so many earlier turns, and wait for the reply's end."""
    chat, _ = sessions.create(user=user)
    if history:
        earlier = [{"role": role, "content": "x" * 500} for _ in range(history) for role in ("user", "assistant")]
        turns.append(user=user, session_id=chat.pk, messages=earlier)
    given = {"message": "What is gradient descent?", "session_id": str(chat.pk), "model": model, "stream": False}
    ended = post(site, user, "/api/agent/chat", given)
    return Message.objects.get(pk=ended["assistant_message"]["id"])


def post(site: Site, user: User, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask that very process: others of this test run share the database, and take what is left waiting."""
    secret = tokens.create(user=user, name="test")[1]
    answered = httpx.post(site.url + path, json=body, headers={"Authorization": f"Bearer {secret}"}, timeout=60)
    assert answered.status_code in (200, 202), answered.text
    found: dict[str, Any] = answered.json()
    return found


def page_of(user: User, chat: ChatSession) -> str:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.get(f"/chats/{chat.pk}").content.decode()


@pytest.mark.parametrize(
    ("model", "code", "kept"),
    [
        ("wrong-key", "model_auth", 0),
        ("unknown-model", "model_not_found", 0),
        ("insufficient-quota", "model_quota", 0),
        ("rate-limited:1:60", "model_rate_limited", 0),
        ("server-error", "model_server_error", 0),
        ("stream-error:2", "model_server_error", 2),
        ("drop-half:5", "model_dropped", 5),
        ("truncated:5", "model_dropped", 5),
        ("malformed:5", "model_malformed", 5),
        ("not-json", "model_malformed", 0),
        ("empty", "model_empty", 0),
        ("silent", "model_silent", 0),
        ("silent:3", "model_silent", 3),
        ("heartbeat", "model_silent", 0),
        ("long:3000@5", "model_timeout", None),
        ("context-too-long", "context_too_long", 0),
        ("content-refused", "content_filter", 0),
        ("bad-request", "model_error", 0),
    ],
)
def test_a_failure_is_kept_on_the_message_with_what_came_and_another_try(
    quick_site: Site, student: User, model: str, code: str, kept: int | None
) -> None:
    reply = answer(quick_site, student, f"{model}#end-to-end")
    assert (reply.state, reply.error_code) == ("failed", code)
    if kept is None:
        assert reply.content.startswith("Gradient descent")
    else:
        assert reply.content == "".join(words(kept))
    html = page_of(student, reply.session)
    assert reply.error_message.split("'")[0] in html
    assert f"/messages/{reply.pk}/regenerate" in html
    assert "Try again" in html
    assert 'data-state="failed"' in html


def test_a_server_that_is_not_there_is_said(deaf_site: Site, student: User) -> None:
    reply = answer(deaf_site, student)
    assert (reply.state, reply.error_code) == ("failed", "model_unreachable")
    assert "Try again" in page_of(student, reply.session)


@pytest.mark.parametrize("model", ["rate-limited:2:0.2#waited", "server-error:1#waited"])
def test_a_passing_trouble_is_waited_out_within_the_reply(quick_site: Site, student: User, model: str) -> None:
    reply = answer(quick_site, student, model)
    assert (reply.state, reply.content) == ("complete", "".join(words(20)))


def test_a_history_that_is_refused_as_too_long_is_trimmed_once_and_asked_again(
    quick_site: Site, student: User, model_server: ModelServer
) -> None:
    model = "context-too-long:12000#trimmed"
    reply = answer(quick_site, student, model, history=30)
    lengths = [sum(len(str(m["content"])) for m in r["body"]["messages"]) for r in model_server.requests(model)]
    assert len(lengths) <= 2
    assert lengths[-1] < 12_000
    assert (reply.state, reply.error_code) == ("complete", "")


def test_an_end_by_length_offers_to_continue(quick_site: Site, student: User) -> None:
    reply = answer(quick_site, student, "length#end")
    assert (reply.state, reply.finish_reason) == ("complete", "length")
    html = page_of(student, reply.session)
    assert "greatest length" in html
    assert '<input type="hidden" name="text" value="Continue.">' in html


def test_an_answer_cut_off_by_a_content_filter_is_said_to_be(quick_site: Site, student: User) -> None:
    reply = answer(quick_site, student, "content-filter#end")
    assert reply.finish_reason == "content-filter"
    assert "cut this answer off" in page_of(student, reply.session)


def test_thoughts_are_kept_apart_and_folded(quick_site: Site, student: User) -> None:
    reply = answer(quick_site, student, "reasoning#folded")
    assert reply.reasoning
    assert reply.reasoning not in reply.content
    html = page_of(student, reply.session)
    assert '<details class="reasoning"><summary>' in html
    assert reply.reasoning.strip().split("\n")[0] in html


def test_another_try_stands_beside_the_failed_one(quick_site: Site, student: User) -> None:
    failed = answer(quick_site, student, "drop-half:5#again")
    turn = post(quick_site, student, f"/api/sessions/{failed.session_id}/regenerate", {"message_id": str(failed.pk)})
    until(lambda: Message.objects.get(pk=turn["assistant_message"]["id"]).state == "complete")
    assert Message.objects.get(pk=failed.pk).state == "failed"
    assert "Try again" not in page_of(student, failed.session)


def test_what_a_hostile_model_writes_is_inert(quick_site: Site, student: User) -> None:
    html = page_of(student, answer(quick_site, student, "markdown#hostile").session)
    prose = html.split('<div class="prose"')[1].split('<div class="tools">')[0]
    assert "<math" in prose
    assert "<table" in prose
    assert 'href="javascript:' not in prose.lower()
    assert "<img" not in prose
    assert "<script" not in prose
    assert not re.search(r"<[^>]+\s(on\w+|style)=", prose)
