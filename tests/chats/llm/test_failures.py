"""Replies that don't: each ends in one readable error, soon, with what came before it kept."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import pytest

from chats.llm.openai_compatible import OpenAICompatible
from chats.llm.protocol import Text
from tests.chats.llm.conftest import hear, request_for
from tests.fakes.fixtures import ModelServer
from tests.fakes.scenarios import words


@pytest.mark.parametrize(
    ("model", "code", "retryable"),
    [
        ("wrong-key", "model_auth", False),
        ("forbidden", "model_auth", False),
        ("unknown-model", "model_not_found", False),
        ("insufficient-quota", "model_quota", False),
        ("context-too-long", "context_too_long", False),
        ("content-refused", "content_filter", False),
        ("bad-request", "model_error", False),
        ("not-json", "model_malformed", True),
        ("empty", "model_empty", True),
    ],
)
async def test_a_refusal_is_named_and_not_repeated(
    provider: OpenAICompatible, model_server: ModelServer, model: str, code: str, retryable: bool
) -> None:
    model = f"{model}#named"
    heard = await hear(provider, request_for(model))
    assert (heard.code, heard.text) == (code, "")
    assert heard.error is not None
    assert heard.error.retryable is retryable
    assert len(model_server.requests(model)) == 1


@pytest.mark.parametrize(
    ("model", "code", "kept"),
    [
        ("drop-half:5", "model_dropped", 5),
        ("truncated:5", "model_dropped", 5),
        ("malformed:5", "model_malformed", 5),
        ("stream-error:2", "model_server_error", 2),
    ],
)
async def test_what_came_before_a_break_is_kept_and_nothing_is_repeated(
    provider: OpenAICompatible, model_server: ModelServer, model: str, code: str, kept: int
) -> None:
    model = f"{model}#kept"
    heard = await hear(provider, request_for(model))
    assert (heard.code, heard.text) == (code, "".join(words(kept)))
    assert heard.error is not None
    assert heard.error.retryable
    assert len(model_server.requests(model)) == 1


async def test_the_detail_is_for_people_and_holds_no_key(make_provider: Callable[..., OpenAICompatible]) -> None:
    heard = await hear(make_provider(api_key="wrong"), request_for("plain"))
    assert heard.error is not None
    assert heard.error.code == "model_auth"
    assert "wrong" not in heard.error.detail
    assert "tell whoever runs this site" in heard.error.detail
    assert heard.error.request_id == "req_fake"


async def test_a_rate_limit_is_waited_out_as_told(provider: OpenAICompatible, model_server: ModelServer) -> None:
    started = asyncio.get_running_loop().time()
    heard = await hear(provider, request_for("rate-limited:2:0.1"))
    assert heard.text == "".join(words(20))
    assert asyncio.get_running_loop().time() - started >= 0.2
    assert len(model_server.requests("rate-limited:2:0.1")) == 3


async def test_a_wait_that_does_not_fit_into_the_time_ends_at_once(
    provider: OpenAICompatible, model_server: ModelServer
) -> None:
    started = asyncio.get_running_loop().time()
    heard = await hear(provider, request_for("rate-limited:1:60", timeout=20))
    assert heard.code == "model_rate_limited"
    assert heard.error is not None
    assert heard.error.retry_after == 60
    assert asyncio.get_running_loop().time() - started < 10
    assert len(model_server.requests("rate-limited:1:60")) == 1


async def test_a_rate_limit_without_end_is_tried_five_times(
    provider: OpenAICompatible, model_server: ModelServer
) -> None:
    heard = await hear(provider, request_for("rate-limited:99:0"))
    assert heard.code == "model_rate_limited"
    assert len(model_server.requests("rate-limited:99:0")) == 5


async def test_a_server_error_is_tried_again_twice(provider: OpenAICompatible, model_server: ModelServer) -> None:
    assert (await hear(provider, request_for("server-error:2"))).text == "".join(words(20))
    heard = await hear(provider, request_for("server-error"))
    assert heard.code == "model_server_error"
    assert len(model_server.requests("server-error")) == 3


async def test_nobody_listening_is_told(make_provider: Callable[..., OpenAICompatible]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        provider = make_provider(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}/v1")
        heard = await hear(provider, request_for("plain"))
    assert heard.code == "model_unreachable"
    assert heard.error is not None
    assert heard.error.retryable


async def test_something_that_speaks_no_http_is_told(make_provider: Callable[..., OpenAICompatible]) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP ready\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        heard = await hear(make_provider(base_url=f"http://127.0.0.1:{port}/v1"), request_for("plain"))
    assert heard.code == "model_unreachable"


@pytest.mark.parametrize(("model", "kept"), [("silent", 0), ("silent:3", 3), ("heartbeat", 0)])
async def test_silence_ends_the_reply_even_with_signs_of_life(
    provider: OpenAICompatible, model_server: ModelServer, model: str, kept: int
) -> None:
    model = f"{model}#silence"
    heard = await hear(provider, request_for(model, silence=0.3))
    assert (heard.code, heard.text) == ("model_silent", "".join(words(kept)))
    assert await model_server.wait_async(model, "closed") == 1


async def test_a_slow_beginning_within_the_limit_is_no_silence(provider: OpenAICompatible) -> None:
    assert (await hear(provider, request_for("slow-first:300", silence=5))).error is None


async def test_a_reply_that_never_ends_is_ended(provider: OpenAICompatible, model_server: ModelServer) -> None:
    heard = await hear(provider, request_for("long:3000@1", timeout=0.5))
    assert heard.code == "model_timeout"
    assert heard.text.startswith("Gradient descent")
    assert await model_server.wait_async("long:3000@1", "closed") == 1


async def test_a_tighter_prompt_is_taken_by_a_model_that_refused_the_long_one(provider: OpenAICompatible) -> None:
    assert (await hear(provider, request_for("context-too-long:500", content="x" * 600))).code == "context_too_long"
    assert (await hear(provider, request_for("context-too-long:500", content="x" * 100))).error is None


@pytest.mark.parametrize("model", ["gated:3#cancel", "silent#cancel"])
async def test_cancelling_closes_the_connection_at_once(
    provider: OpenAICompatible, model_server: ModelServer, model: str
) -> None:
    task = asyncio.create_task(hear(provider, request_for(model)))
    await model_server.wait_async(model, "held" if model.startswith("gated") else "requests")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert await model_server.wait_async(model, "closed") == 1


async def test_leaving_the_iterator_closes_the_connection_at_once(
    provider: OpenAICompatible, model_server: ModelServer
) -> None:
    stream = provider.stream(request_for("gated:3#left"))
    assert isinstance(await anext(stream), Text)
    await stream.aclose()
    assert await model_server.wait_async("gated:3#left", "closed") == 1
