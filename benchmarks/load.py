"""Pages that ask and read, in a process of their own, steered by whoever started it: `python -m benchmarks.load`.

It reads one JSON line, `{targets: [{url, cookie}], ramp_seconds, window_seconds, tokens}`, and writes one at each
of its steps, waiting for a line after the first:

| step | when |
|---|---|
| `connected` | all sockets are open and ready |
| `streaming` | every reply has begun |
| `measured` | the window after that has passed |
| `finished` | all replies have ended; with the figures |
"""

import asyncio
import json
import re
import sys
import time
from itertools import pairwise
from typing import Any

from benchmarks.report import percentile
from benchmarks.sockets import Socket

CONNECTING_AT_ONCE = 20
LONGEST_WAIT_SECONDS = 60.0
_STAMP = re.compile(rb"([0-9a-f]{7}) ")
_WRAPS_US = 1 << 28
_TEXT = b'"text":"'
QUESTION = "What is gradient descent, and when does it fail?"


def age_of(stamp: bytes, now: float) -> float:
    """Seconds from when the model sent a token to `now`; see `tests.fakes.frames.stamp_of`."""
    return (int(now * 1e6) - int(stamp, 16)) % _WRAPS_US / 1e6


class Page:
    """One page that asks once and notes when what came."""

    def __init__(self, target: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        self.target = target
        self.ready: asyncio.Future[None] = loop.create_future()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[bool] = loop.create_future()
        self.asked_at = 0.0
        self.frames: list[tuple[float, bytes]] = []

    async def open(self, gate: asyncio.Semaphore) -> None:
        async with gate:
            self.socket = await Socket.connect(self.target["url"], self._take, self.target.get("cookie", ""))
            await self.ready

    def ask(self) -> None:
        self.asked_at = time.monotonic()
        frame = {"action": "send", "client_id": "1", "text": QUESTION}
        self.socket.send(json.dumps(frame).encode())

    def _take(self, frame: bytes, now: float) -> None:
        if frame.startswith(b'{"type":"reply.delta"'):
            # Only what is needed is kept, and nothing is decoded while the clock runs.
            start = frame.index(_TEXT) + len(_TEXT)
            self.frames.append((now, frame[start : frame.index(b'"', start)]))
            self._done(self.begun, None)
        elif frame.startswith(b'{"type":"ready"'):
            self._done(self.ready, None)
        elif frame.startswith(b'{"type":"reply.finished"'):
            self._done(self.begun, None)
            self._done(self.ended, b'"state":"complete"' in frame)
        elif frame.startswith(b'{"type":"error"'):
            print(frame.decode(), file=sys.stderr)
            self._done(self.begun, None)
            self._done(self.ended, False)

    @staticmethod
    def _done(future: "asyncio.Future[Any]", result: Any) -> None:
        if not future.done():
            future.set_result(result)

    def tokens(self) -> list[tuple[float, float]]:
        """(when the model sent it, when it was here) of each token, in the order in which they came."""
        return [(now - age_of(stamp, now), now) for now, text in self.frames for stamp in _STAMP.findall(text)]


async def step(name: str, **figures: Any) -> None:
    print(json.dumps({"step": name, **figures}), flush=True)


async def run(plan: dict[str, Any]) -> None:
    pages = [Page(target) for target in plan["targets"]]
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
    await asyncio.gather(*(page.open(gate) for page in pages))
    await step("connected")
    await asyncio.to_thread(sys.stdin.readline)
    began = time.monotonic()
    for number, page in enumerate(pages):
        await asyncio.sleep(began + plan["ramp_seconds"] * number / len(pages) - time.monotonic())
        page.ask()
    await _all([page.begun for page in pages])
    window = [time.monotonic()]
    cpu = [time.process_time()]
    await step("streaming")
    await asyncio.sleep(plan["window_seconds"])
    window.append(time.monotonic())
    cpu.append(time.process_time())
    await step("measured")
    await _all([page.ended for page in pages])
    await step("finished", **figures(pages, plan, window), client_cpu_seconds=cpu[1] - cpu[0])
    for page in pages:
        page.socket.close()


async def _all(futures: "list[asyncio.Future[Any]]") -> None:
    await asyncio.wait(futures, timeout=LONGEST_WAIT_SECONDS)


def figures(pages: list[Page], plan: dict[str, Any], window: list[float]) -> dict[str, Any]:
    """Milliseconds, counts, and what went wrong."""
    delays: list[float] = []
    first_delays, first_tokens = [], []
    failed = wrong = in_window = 0
    for page in pages:
        tokens = page.tokens()
        complete = page.ended.done() and page.ended.result()
        failed += not complete
        sent = [stamp for stamp, _ in tokens]
        wrong += complete and (
            len(sent) != plan["tokens"] or any(later < earlier - 1e-5 for earlier, later in pairwise(sent))
        )
        inside = [(now - stamp) * 1000 for stamp, now in tokens if window[0] <= now <= window[1]]
        in_window += len(inside)
        delays += inside
        if tokens:
            first_tokens.append((tokens[0][1] - page.asked_at) * 1000)
            first_delays.append((tokens[0][1] - tokens[0][0]) * 1000)
    seconds = window[1] - window[0]
    frames = sum(window[0] <= now <= window[1] for page in pages for now, _ in page.frames)
    return {
        "failed": failed,
        "gaps": wrong,
        "tokens": in_window,
        "all_tokens": sum(len(page.tokens()) for page in pages),
        "seconds": seconds,
        "tokens_per_second": in_window / seconds,
        "frames_per_second": frames / seconds,
        **{f"delay_p{percent}_ms": percentile(delays, percent) for percent in (50, 95, 99)},
        **{f"first_token_p{percent}_ms": percentile(first_tokens, percent) for percent in (50, 95)},
        **{f"first_delay_p{percent}_ms": percentile(first_delays, percent) for percent in (50, 95)},
    }


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.stdin.readline())))
