"""What the provider layer costs: CPU per token and time to the first token, beside two ways of doing without it.

    python -m benchmarks.provider [--streams 1 100 300] [--token-ms 20] [--tokens 200]

`bytes` reads the same response and decodes nothing: what any reader pays for HTTP. `typed` is the openai client's own
chunk objects. All three run in this process against one fake server in another; CPU is this process's own, from before
the requests to after the last token.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import openai

from chats.llm.openai_compatible import OpenAICompatible
from chats.llm.protocol import ModelRequest, PromptMessage, Text

Reader = Callable[[], AsyncIterator[int]]
_MESSAGES = [{"role": "user", "content": "What is gradient descent?"}]


def provider_reader(base_url: str) -> tuple[Reader, OpenAICompatible]:
    provider = OpenAICompatible(base_url=base_url, api_key="none")
    request = ModelRequest("plain", (PromptMessage("user", _MESSAGES[0]["content"]),), 120, 30)

    async def read() -> AsyncIterator[int]:
        async for event in provider.stream(request):
            if isinstance(event, Text):
                yield event.text.count(" ")

    return read, provider


def client_readers(base_url: str) -> tuple[dict[str, Reader], openai.AsyncOpenAI]:
    client = openai.AsyncOpenAI(
        base_url=base_url, api_key="none", max_retries=0, timeout=httpx2.Timeout(None, connect=10)
    )

    async def as_bytes() -> AsyncIterator[int]:
        create = client.chat.completions.with_streaming_response.create
        async with create(model="plain", messages=_MESSAGES, stream=True) as response:  # type: ignore[arg-type]
            async for data in response.http_response.aiter_bytes():
                yield data.count(b'"content":"') - data.count(b'"content":""')

    async def typed() -> AsyncIterator[int]:
        stream = await client.chat.completions.create(model="plain", messages=_MESSAGES, stream=True)  # type: ignore[arg-type]
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield 1

    return {"bytes": as_bytes, "typed": typed}, client


async def count(read: Reader) -> int:
    return sum([tokens async for tokens in read()])


async def first_token_ms(read: Reader, times: int = 40) -> float:
    """Median milliseconds from asking to the first token, one request after the other on a warm connection."""
    measured = []
    for _ in range(times):
        begun = time.perf_counter()
        stream = read()
        async for tokens in stream:
            if tokens:
                break
        measured.append((time.perf_counter() - begun) * 1000)
        async for _rest in stream:
            pass
    return statistics.median(measured)


async def run(options: argparse.Namespace, base_url: str, quick_url: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    readers, client = client_readers(base_url)
    quick_readers, quick_client = client_readers(quick_url)
    readers["provider"], provider = provider_reader(base_url)
    quick_readers["provider"], quick_provider = provider_reader(quick_url)
    for name in ("bytes", "provider", "typed"):
        row: dict[str, object] = {"reader": name}
        await count(quick_readers[name])
        row["first_token_ms"] = round(await first_token_ms(quick_readers[name]), 2)
        await count(readers[name])
        for streams in options.streams:
            cpu, begun = time.process_time(), time.perf_counter()
            tokens = sum(await asyncio.gather(*(count(readers[name]) for _ in range(streams))))
            assert tokens == streams * options.tokens, f"{name}: {tokens} of {streams * options.tokens} tokens"
            row[f"cpu_us_per_token_{streams}"] = round((time.process_time() - cpu) / tokens * 1e6, 1)
            row[f"seconds_{streams}"] = round(time.perf_counter() - begun, 2)
        rows.append(row)
    for closing in (client, quick_client):
        await closing.close()
    for each in (provider, quick_provider):
        await each.aclose()
    return rows


def start_server(*arguments: str) -> tuple[subprocess.Popen[bytes], str]:
    command = [sys.executable, "-m", "tests.fakes.openai_server", "--until-stdin-ends", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{int(process.stdout.readline())}/v1"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 100, 300])
    parser.add_argument("--token-ms", type=float, default=20.0)
    parser.add_argument("--tokens", type=int, default=200)
    options = parser.parse_args()
    server, base_url = start_server("--token-ms", str(options.token_ms), "--tokens", str(options.tokens))
    quick, quick_url = start_server("--token-ms", "1", "--tokens", "3")
    try:
        rows = asyncio.run(run(options, base_url, quick_url))
    finally:
        for process in (server, quick):
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
    columns = list(rows[0])
    print(" | ".join(columns))
    for row in rows:
        print(" | ".join(str(row[column]) for column in columns))
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "provider.json").write_text(json.dumps({"options": vars(options), "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
