"""The fake model server as a fixture: import `model_server` into a conftest or load it as a plugin."""

import asyncio
import json
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ModelServer:
    """A running fake model server.

    Give each test's model a `#tag` of its own where it counts, gates or waits.
    """

    port: int

    @property
    def base_url(self) -> str:
        """What `OPENAI_BASE_URL` is set to."""
        return f"http://127.0.0.1:{self.port}/v1"

    def requests(self, model: str | None = None) -> list[dict[str, Any]]:
        """What was received, oldest first: `{method, path, headers, body}`."""
        query = {} if model is None else {"model": model}
        found: list[dict[str, Any]] = self._call("GET", "requests", query=query)["requests"]
        return found

    def release(self, model: str, tokens: int | None = None) -> int:
        """Let the held streams of a model go on; return how many there were."""
        return int(self._call("POST", "release", body={"model": model, "tokens": tokens})["released"])

    def wait(self, model: str, what: str, count: int = 1, timeout: float = 10) -> int:
        """Block until `count` requests of a model were received, or streams are held, finished or closed."""
        query = {"model": model, "what": what, "count": str(count), "timeout": str(timeout)}
        return int(self._call("GET", "wait", query=query)["count"])

    async def wait_async(self, model: str, what: str, count: int = 1) -> int:
        """The same without blocking the loop."""
        return await asyncio.to_thread(self.wait, model, what, count)

    def _call(self, method: str, name: str, *, query: dict[str, str] | None = None, body: Any = None) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/control/{name}?{urllib.parse.urlencode(query or {})}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.loads(response.read())
            return answer


def running_server(*options: str) -> Iterator[ModelServer]:
    """Start a server process, yield it, end it. It ends too when this process dies."""
    command = [sys.executable, "-m", "tests.fakes.openai_server", "--until-stdin-ends", *options]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the fake model server did not start"
        yield ModelServer(int(line))
        process.stdin.close()
        process.wait(10)


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    """A fake model server at one token per millisecond, twenty tokens in a plain reply."""
    yield from running_server("--token-ms", "1", "--tokens", "20")
