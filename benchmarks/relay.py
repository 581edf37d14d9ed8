"""What the site is compared with: Daphne and Channels passing a model's tokens on, and nothing else.

No sign-in, no database, no rendering, nothing that outlives the socket; one frame per token. `--typed` reads the model
by the openai client's own chunk objects, as its documentation shows; without, the same client's response is read
line by line.

    python -m benchmarks.relay --model-url http://127.0.0.1:9000/v1 [--typed]

prints its port as the first line.
"""

# Daphne's server goes first: it installs the reactor.
from daphne.server import Server, twisted_loop  # isort: skip

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from socket import AF_INET, SOCK_STREAM, socket
from typing import Any

import openai
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings


class Relay(AsyncWebsocketConsumer):
    """One page: `send` is answered with the model's tokens. Speaks the few frames that the load client looks at."""

    client: openai.AsyncOpenAI
    model: str
    typed: bool

    async def connect(self) -> None:
        await self.accept()
        await self.send('{"type":"ready"}')

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        asked = json.loads(text_data or "")
        self.answering = asyncio.get_running_loop().create_task(self.answer(asked["text"]))

    async def answer(self, question: str) -> None:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": question}],
            "stream": True,
        }
        tokens = self.typed_tokens(request) if self.typed else self.line_tokens(request)
        async for token in tokens:
            await self.send(json.dumps({"type": "reply.delta", "text": token}, separators=(",", ":")))
        await self.send('{"type":"reply.finished","state":"complete"}')

    async def typed_tokens(self, request: dict[str, Any]) -> AsyncIterator[str]:
        async for chunk in await self.client.chat.completions.create(**request):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    async def line_tokens(self, request: dict[str, Any]) -> AsyncIterator[str]:
        async with self.client.chat.completions.with_streaming_response.create(**request) as response:
            async for line in response.iter_lines():
                if line.startswith("data: {"):
                    choices = json.loads(line[6:])["choices"]
                    if choices and choices[0]["delta"].get("content"):
                        yield choices[0]["delta"]["content"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model-url", required=True)
    parser.add_argument("--model", default="plain")
    parser.add_argument("--typed", action="store_true")
    options = parser.parse_args()
    settings.configure(DATABASES={})
    with socket(AF_INET, SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    Relay.typed, Relay.model = options.typed, options.model

    async def begin() -> None:
        Relay.client = openai.AsyncOpenAI(
            base_url=options.model_url, api_key="none", max_retries=0, http_client=openai.DefaultAioHttpClient()
        )

    twisted_loop.run_until_complete(begin())
    server = Server(
        application=Relay.as_asgi(),
        endpoints=[f"tcp:port={port}:interface=127.0.0.1"],
        ready_callable=lambda: twisted_loop.call_soon(partial(print, port, flush=True)),
    )
    server.run()


if __name__ == "__main__":
    main()
