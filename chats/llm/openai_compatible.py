"""Any endpoint that speaks OpenAI's chat completions: OpenAI, Azure, Ollama, vLLM, OpenRouter and many more.

The openai client keeps the connections, signs in and names the errors. The stream itself is read as bytes and
decoded in `chats.llm.decoding`, because the client's typed chunks cost more than everything else that a token
goes through.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import aiohttp
import httpx2
import openai

from chats.llm.decoding import StreamDecoder
from chats.llm.failures import failure, failure_of, refuses_usage
from chats.llm.protocol import Event, Finished, ModelRequest, ProviderError, Reasoning, Text

_MOST_ATTEMPTS_WHEN_LIMITED = 5
_MOST_TRANSIENT_RETRIES = 2
_TRANSIENT = frozenset({"model_server_error", "model_unreachable"})
_LONGEST_BACKOFF_SECONDS = 8.0
_GOODBYE_SECONDS = 0.2
"""How long a finished stream may take to end properly, so that its connection can be used again."""
_LONGEST_SHORT_ANSWER = 2000
_FULL_READ_BYTES = 16_384
"""A read that brings so much has left something behind."""
_CONNECTION_ERRORS = (httpx2.RequestError, aiohttp.ClientError)


class OpenAICompatible:
    """Streams replies from one endpoint, over a pool of connections that serves a whole process.

    A 429 waits as told and is tried again while that fits into the request's time; a connection that fails
    and a 5xx are tried again twice. Nothing is tried again once a token has come.
    """

    name = "openai-compatible"

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        max_streams: int = 500,
        backoff_seconds: float = 0.4,
        gather_seconds: Callable[[], float] | None = None,
    ) -> None:
        """`base_url` ends in `/v1` or the like, None is OpenAI's own; servers without sign-in need no key.

        `gather_seconds` says before each read but that of the first token how long to let tokens gather, for callers
        that show them in frames: what a read costs is then paid per frame and not per token. What has gathered already
        is not waited for.
        """
        self._backoff_seconds = backoff_seconds
        self._gather_seconds = gather_seconds
        self._asks_for_usage = True
        # Silence is timed here, between tokens; the client would count a keep-alive comment as a sign of
        # life.
        self._client = openai.AsyncOpenAI(
            base_url=base_url or None,
            api_key=api_key or "none",
            max_retries=0,
            # The openai package's own alternative. Its parser is compiled: a token costs half as much.
            http_client=openai.DefaultAioHttpClient(
                timeout=httpx2.Timeout(None, connect=10.0, write=30.0, pool=30.0),
                limits=httpx2.Limits(
                    max_connections=max_streams + 20,
                    max_keepalive_connections=max_streams // 2,
                    keepalive_expiry=30.0,
                ),
            ),
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Event, None]:
        """Yield the reply as it comes; see `Provider.stream`."""
        reply = _Reply(request)
        # A task of its own reads the connection. It has everything of one receive buffer decoded before whoever
        # iterates runs again, so a busy process handles fewer, longer pieces; and its timeouts can't fire while
        # the iterator's caller is at work.
        reader = asyncio.create_task(self._read(reply), name="model-stream")
        reader.add_done_callback(lambda _: reply.wake())
        try:
            while not reply.finished or reply.events:
                for event in reply.take():
                    yield event
                if reader.done() and not reply.events:
                    reader.result()
                    break
                await reply.wait()
        finally:
            if reply.finished:
                await asyncio.wait([reader], timeout=_GOODBYE_SECONDS)
            reader.cancel()
            await asyncio.wait([reader])
            if not reader.cancelled():
                reader.exception()

    async def complete(self, request: ModelRequest) -> str:
        """Return a short answer whole; see `Provider.complete`."""
        texts: list[str] = []
        async with contextlib.aclosing(self.stream(request)) as events:
            async for event in events:
                if isinstance(event, Text):
                    texts.append(event.text)
                    if sum(map(len, texts)) > _LONGEST_SHORT_ANSWER:
                        break
        return "".join(texts).strip()

    async def aclose(self) -> None:
        """Close the pool; see `Provider.aclose`."""
        await self._client.close()

    async def _read(self, reply: "_Reply") -> None:
        """Bring the reply to its end, with as many requests as that takes; raises `ProviderError`."""
        whole = asyncio.timeout(reply.request.timeout_seconds)
        try:
            async with whole:
                await self._attempts(reply, whole)
        except TimeoutError:
            if not reply.decoder.finished:
                raise failure("model_timeout") from None
        if not reply.finished:
            reply.finish()

    async def _attempts(self, reply: "_Reply", whole: asyncio.Timeout) -> None:
        limited = transient = 0
        while True:
            try:
                await self._attempt(reply)
            except ProviderError as error:
                if reply.decoder.finished:
                    return
                if reply.decoder.said_anything:
                    raise
                pause = self._backoff(limited + transient)
                if error.code == "model_rate_limited" and limited < _MOST_ATTEMPTS_WHEN_LIMITED - 1:
                    limited += 1
                    pause = pause if error.retry_after is None else error.retry_after
                elif error.code in _TRANSIENT and transient < _MOST_TRANSIENT_RETRIES:
                    transient += 1
                    pause = max(pause, error.retry_after or 0.0)
                else:
                    raise
                if asyncio.get_running_loop().time() + pause >= (whole.when() or 0.0):
                    raise
            else:
                return
            await asyncio.sleep(pause)

    async def _attempt(self, reply: "_Reply") -> None:
        """One request, read to its end; raises `ProviderError`."""
        silence = asyncio.timeout(reply.request.silence_seconds)
        try:
            async with silence:
                await self._exchange(reply, silence)
        except TimeoutError:
            if silence.expired():
                raise failure("model_silent") from None
            raise
        except openai.APIError as error:
            if self._asks_for_usage and refuses_usage(error):
                self._asks_for_usage = False
                await self._attempt(reply)
                return
            raise failure_of(error) from error
        except _CONNECTION_ERRORS as error:
            raise failure("model_dropped" if reply.decoder.said_anything else "model_unreachable") from error

    async def _exchange(self, reply: "_Reply", silence: asyncio.Timeout) -> None:
        reply.decoder = decoder = StreamDecoder()
        create = self._client.chat.completions.with_streaming_response.create
        async with create(**self._body(reply.request)) as response:
            try:
                await self._take_in(reply, response.http_response, silence)
            except _CONNECTION_ERRORS:
                reply.put(decoder.feed(_unread(response.http_response)))
                raise
            except ProviderError:
                reply.put(decoder.flush())
                raise

    async def _take_in(self, reply: "_Reply", response: httpx2.Response, silence: asyncio.Timeout) -> None:
        loop, decoder = asyncio.get_running_loop(), reply.decoder
        patience = reply.request.silence_seconds
        put_off_at = loop.time()
        async for data in response.aiter_bytes():
            if events := decoder.feed(data):
                reply.put(events)
                # The alarm is put off once in a while rather than with each token: timers are not free.
                now = loop.time()
                if now - put_off_at > patience / 20:
                    put_off_at = now
                    silence.reschedule(now + patience)
            if decoder.done and not reply.finished:
                reply.finish()
            elif events and self._gather_seconds is not None and len(data) < _FULL_READ_BYTES:
                await asyncio.sleep(self._gather_seconds())
        reply.put(decoder.feed_end())

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        # As the extra body they are sent as they are. The client would look at each of them to tell its kind, which
        # takes the longer the longer the conversation is.
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [],
            "extra_body": {"messages": messages},
            "stream": True,
        }
        if self._asks_for_usage:
            body["stream_options"] = {"include_usage": True}
        return body

    def _backoff(self, retries: int) -> float:
        """Seconds until the next try: doubling, with jitter so that many replies don't return at once."""
        seconds = min(_LONGEST_BACKOFF_SECONDS, self._backoff_seconds * 2.0**retries)
        return seconds * random.uniform(0.75, 1.25)  # noqa: S311 -- no secret


def _unread(response: httpx2.Response) -> bytes:
    """What had come of a body, and was not read yet, when its connection broke.

    aiohttp raises the break before it gives out what came earlier, so that text which gathers would be lost with it.
    Neither it nor the layers above it have a way to ask for that, hence the look inside.
    """
    stream = getattr(response.stream, "_stream", response.stream)
    content = getattr(getattr(stream, "_aiohttp_response", None), "content", None)
    if content is None:
        return b""  # made in another way than is known here
    content.set_exception(None)
    unread: bytes = content.read_nowait()
    return unread


class _Reply:
    """What the reader has brought of one reply, and the iterator has not yet taken."""

    def __init__(self, request: ModelRequest) -> None:
        self.request = request
        self.decoder = StreamDecoder()
        self.events: list[Event] = []
        self.finished = False
        self._waiter: asyncio.Future[None] | None = None

    def put(self, events: Sequence[Event]) -> None:
        for event in events:
            last = self.events[-1] if self.events else None
            if isinstance(last, Text | Reasoning) and type(event) is type(last):
                last.text += event.text
            else:
                self.events.append(event)
        self.wake()

    def finish(self) -> None:
        """Put the last event; raises `ProviderError` for a reply that did not end well."""
        decoder = self.decoder
        if not decoder.finished:
            raise failure("model_malformed" if decoder.foreign and not decoder.said_anything else "model_dropped")
        if not decoder.said_text:
            filtered = decoder.finish_reason == "content-filter"
            raise failure("content_filter" if filtered else "model_empty")
        self.finished = True
        self.put([Finished(decoder.finish_reason, decoder.usage, decoder.model or self.request.model)])

    def take(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Return when there is something to take, or the reader has ended."""
        if self.events:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
