"""An OpenAI-compatible server for tests and benchmarks: real HTTP, a process of its own, no model.

    python -m tests.fakes.openai_server --port 0 --token-ms 20 --tokens 200

prints its port as the first line. What it answers is chosen by the request's `model`: the table is in
`tests.fakes.scenarios`. It speaks `POST /v1/chat/completions` (streamed and whole), `POST /v1/embeddings`,
`GET /v1/models`, and, for the tests themselves:

| path | what it does |
|---|---|
| `GET /control/requests?model=M` | `{requests: [{method, path, headers, body, peer}]}`, oldest first |
| `DELETE /control/requests` | forgets them, and all counts |
| `POST /control/release` `{model, tokens?}` | held streams go on, for so many tokens or to their end |
| `GET /control/wait?model=M&what=W&count=N&timeout=S` | `{count}` once N have happened; 408 after S s |

where W is `requests` (received), `held` (streams that wait to be released now), `finished` (streams sent to
their end) or `closed` (streams that the client left before their end).

With `--stamp` each token is the time at which it was sent, see `frames.stamp_of`, by the monotonic clock that the
processes of one machine share.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from collections import Counter, defaultdict, deque
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes import embeddings
from tests.fakes.frames import STAMP, script, stamp_of
from tests.fakes.scenarios import Act, Script, Spec, parse, refusal, whole_text
from tests.fakes.wheel import Wheel

_END = b"0\r\n\r\n"
_STAMP = STAMP.encode()


class Stream:
    """One streamed reply: the frames that are still to be sent, one per tick."""

    __slots__ = ("connection", "interval_ms", "model", "position", "server", "steps")

    def __init__(self, server: "FakeServer", connection: "Connection", spec: Spec, reply: Script) -> None:
        self.server, self.connection, self.model = server, connection, spec.model
        self.steps, self.position = reply.steps, 0
        self.interval_ms = spec.token_ms or reply.token_ms or server.options.token_ms

    def tick(self) -> float | None:
        """Send the next frame. Return the milliseconds until the next one, None when none is to be timed."""
        connection = self.connection
        if connection.closed or self.position == len(self.steps):  # released once more than it was held
            return None
        step = self.steps[self.position]
        self.position += 1
        if isinstance(step, bytes):
            if self.server.options.stamp and _STAMP in step:
                step = step.replace(_STAMP, stamp_of(self.server.loop.time()))
            if self.position == len(self.steps):
                connection.transport.write(step + _END)
                self.end()
                connection.next_request()
                return None
            connection.transport.write(step)
            return self.interval_ms
        match step:
            case Act.HOLD:
                if self.server.allow(self):
                    return 0
            case Act.RESET:
                self.end()
                connection.transport.abort()
            case Act.CLOSE:
                connection.transport.write(_END)
                self.end()
                connection.transport.close()
            case Act.STALL:
                pass
        return None

    def end(self) -> None:
        self.connection.stream = None
        self.server.count("finished", self.model)


class Connection(asyncio.Protocol):
    """HTTP/1.1 as far as clients of such an API use it: one request after the other, bodies with a length."""

    transport: asyncio.Transport

    def __init__(self, server: "FakeServer") -> None:
        self.server = server
        self.buffer = bytearray()
        self.stream: Stream | None = None
        self.busy = False
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.server.connections.discard(self)
        if self.stream is not None:
            self.server.left(self.stream)
            self.stream = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.busy:
            self.next_request()

    def next_request(self) -> None:
        """Answer the next request in the buffer, if it is there whole."""
        self.busy = False
        head, mark, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        if not mark:
            return
        line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        pairs = (header.partition(":") for header in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buffer = bytearray(rest[length:])
        self.busy = True
        self.server.answer(self, method, target, headers, rest[:length])

    def respond(self, status: int, payload: Any, headers: dict[str, str] | None = None) -> None:
        if self.closed:
            return
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
            f"x-request-id: req_fake\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.next_request()

    def begin(self, stream: Stream, reply: Script) -> None:
        self.stream = stream
        if reply.head:
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: {reply.content_type}\r\nx-request-id: req_fake\r\n"
                "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            self.transport.write(head.encode())
        self.server.wheel.add(stream.tick, reply.first_ms)


class FakeServer:
    """Everything the connections share: what came, who waits for what, the clock."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.loop = asyncio.get_running_loop()
        self.wheel = Wheel(self.loop)
        self.connections: set[Connection] = set()
        self.requests: deque[dict[str, Any]] = deque(maxlen=5000)
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.held: dict[str, list[Stream]] = defaultdict(list)
        self.allowance: Counter[str] = Counter()
        self.waiters: list[tuple[str, str, int, asyncio.Future[None]]] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def answer(self, connection: Connection, method: str, target: str, headers: dict[str, str], data: bytes) -> None:
        url = urlsplit(target)
        query = dict(parse_qsl(url.query))
        try:
            body = json.loads(data) if data else {}
        except ValueError:
            connection.respond(400, {"error": {"message": "The body is not JSON."}})
            return
        if url.path.startswith("/control/"):
            self.control(connection, method, url.path, query, body)
            return
        peer = connection.transport.get_extra_info("peername")[1]
        self.requests.append({"method": method, "path": target, "headers": headers, "body": body, "peer": peer})
        model = str(body.get("model", ""))
        self.count("requests", model)
        match method, url.path:
            case "GET", "/v1/models":
                connection.respond(200, {"object": "list", "data": [{"id": "plain", "object": "model"}]})
            case "POST", "/v1/chat/completions" | "/v1/embeddings":
                self.model_request(connection, url.path, headers, body, model)
            case _:
                connection.respond(404, {"error": {"message": f"Invalid URL ({method} {target})"}})

    def model_request(
        self, connection: Connection, path: str, headers: dict[str, str], body: dict[str, Any], model: str
    ) -> None:
        spec = parse(model)
        key = headers.get("authorization", "").removeprefix("Bearer ")
        refused = refusal(spec, body, key=key, earlier=self.counts["refused"][model])
        if refused:
            self.count("refused", model)
            connection.respond(refused.status, refused.body(), refused.headers)
        elif path == "/v1/embeddings":
            connection.respond(200, embeddings.answer(body))
        elif body.get("stream"):
            options = self.options
            reply = script(spec, body, tokens=options.tokens, first_ms=options.first_ms, stamp=options.stamp)
            connection.begin(Stream(self, connection, spec, reply), reply)
        elif spec.scenario != "silent":
            connection.respond(200, self.completion(spec, body))

    def completion(self, spec: Spec, body: dict[str, Any]) -> dict[str, Any]:
        text = whole_text(spec, body, 5)
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            "created": 1700000000,
            "model": spec.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
        }

    # What tests steer and watch by.

    def control(
        self, connection: Connection, method: str, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> None:
        match method, path:
            case "GET", "/control/requests":
                model = query.get("model")
                chosen = [r for r in self.requests if model is None or r["body"].get("model") == model]
                connection.respond(200, {"requests": chosen})
            case "DELETE", "/control/requests":
                self.requests.clear()
                self.counts.clear()
                connection.respond(200, {})
            case "POST", "/control/release":
                connection.respond(200, {"released": self.release(body["model"], body.get("tokens"))})
            case "GET", "/control/wait":
                task = self.loop.create_task(self.wait(connection, query))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            case _:
                connection.respond(404, {"error": {"message": "no such control"}})

    def how_many(self, what: str, model: str) -> int:
        return len(self.held[model]) if what == "held" else self.counts[what][model]

    def count(self, what: str, model: str) -> None:
        self.counts[what][model] += 1
        self.wake()

    def wake(self) -> None:
        for what, model, count, future in self.waiters:
            if self.how_many(what, model) >= count and not future.done():
                future.set_result(None)

    async def wait(self, connection: Connection, query: dict[str, str]) -> None:
        what, model, count = query.get("what", "requests"), query["model"], int(query.get("count", 1))
        future: asyncio.Future[None] = self.loop.create_future()
        waiter = (what, model, count, future)
        self.waiters.append(waiter)
        self.wake()
        try:
            await asyncio.wait_for(future, float(query.get("timeout", 10)))
            connection.respond(200, {"count": self.how_many(what, model)})
        except TimeoutError:
            connection.respond(408, {"count": self.how_many(what, model)})
        finally:
            self.waiters.remove(waiter)

    def allow(self, stream: Stream) -> bool:
        """Whether a stream at its gate may pass; if not, it is held."""
        if self.allowance[stream.model]:
            return True
        self.held[stream.model].append(stream)
        self.wake()
        return False

    def release(self, model: str, tokens: int | None) -> int:
        streams = self.held.pop(model, [])
        for stream in streams:
            if tokens is not None:
                at = stream.position
                stream.steps = (*stream.steps[at : at + tokens], Act.HOLD, *stream.steps[at + tokens :])
                stream.position = 0
            self.wheel.add(stream.tick, 0)
        return len(streams)

    def left(self, stream: Stream) -> None:
        if stream in self.held[stream.model]:
            self.held[stream.model].remove(stream)
        self.count("closed", stream.model)


async def serve(options: argparse.Namespace) -> None:
    """Serve until cancelled, or until standard input ends when asked to."""
    server = FakeServer(options)
    listener = await server.loop.create_server(lambda: Connection(server), options.host, options.port, backlog=2048)
    print(listener.sockets[0].getsockname()[1], flush=True)  # noqa: T201 -- the caller reads it
    async with listener:
        if options.until_stdin_ends:
            reader = asyncio.StreamReader()
            await server.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            await reader.read()
        else:
            await listener.serve_forever()
    for connection in list(server.connections):
        connection.transport.abort()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--token-ms", type=float, default=20.0, help="between two tokens")
    parser.add_argument("--first-ms", type=float, default=0.0, help="before the first token")
    parser.add_argument("--tokens", type=int, default=200, help="in a plain reply")
    parser.add_argument("--stamp", action="store_true", help="tokens carry the time they were sent at")
    parser.add_argument("--until-stdin-ends", action="store_true", help="end with whoever started it")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
