"""A running reply in memory: one buffer, any number of viewers, woken together.

The first token goes out at once, later ones in frames, so that what costs per event (rendering, encoding, a socket
write) is paid per frame and not per token. Everything here runs on the event loop and never waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import UUID

from chats.markup import SourceLink, StreamRenderer
from chats.replies.events import Ended, Event, ReasoningDelta, Restarted, Snapshot, SourcesKnown, TextDelta

FRAME_SECONDS = 0.05
SLOWEST_FRAME_SECONDS = 0.08
# A viewer with so many events waiting is not reading: it gets one snapshot instead.
BACKLOG = 100


class Pace:
    """How long a frame lasts: longer while the event loop runs late, so that a busy process does less per token."""

    def __init__(self) -> None:
        self.seconds = FRAME_SECONDS

    def was_late(self, seconds: float) -> None:
        wanted = min(SLOWEST_FRAME_SECONDS, FRAME_SECONDS + seconds)
        self.seconds += (wanted - self.seconds) * 0.05


PACE = Pace()


class LiveReply:
    """The text so far of one attempt at a reply, and who watches it.

    `may_show` is asked before each frame: a process that was frozen past its lease shows nothing.
    """

    def __init__(self, reply_id: UUID, session_id: UUID, attempt: int = 0) -> None:
        self.reply_id = reply_id
        self.session_id = session_id
        self.attempt = attempt
        self.may_show: Callable[[], bool] = lambda: True
        self.ended = False
        self._subscriptions: list[Subscription] = []
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._reset()

    def _reset(self) -> None:
        self.sources: list[dict[str, Any]] | None = None
        self.length = 0  # code points received
        self.shown = 0  # code points in frames
        self.reasoning_length = 0
        self._text: list[str] = []
        self._waiting: list[str] = []
        self._reasoning: list[str] = []
        self._reasoning_shown = 0
        self._waiting_reasoning: list[str] = []
        self._renderer: StreamRenderer | None = None

    # What the reply's maker, or whoever follows it from elsewhere, tells.

    def append(self, text: str) -> None:
        self.length += len(text)
        self._waiting.append(text)
        if self._timer is None and self._subscriptions:
            self._schedule()

    def append_reasoning(self, text: str) -> None:
        self.reasoning_length += len(text)
        self._waiting_reasoning.append(text)
        if self._timer is None and self._subscriptions:
            self._schedule()

    def know_sources(self, sources: list[dict[str, Any]]) -> None:
        self.sources = sources
        self._renderer = None
        self._tell(SourcesKnown(self.reply_id, self.attempt, sources))

    def restart(self, attempt: int) -> None:
        self.attempt = attempt
        self._cancel_timer()
        self._reset()
        self._tell(Restarted(self.reply_id, attempt))

    def end(self) -> None:
        """Say that the reply is final. Nothing follows."""
        self.ended = True
        self._cancel_timer()
        self._tell(Ended(self.reply_id))

    def text(self) -> str:
        """All text received."""
        return "".join(self._text) + "".join(self._waiting)

    def reasoning(self) -> str:
        return "".join(self._reasoning) + "".join(self._waiting_reasoning)

    # Viewers.

    @property
    def is_watched(self) -> bool:
        return bool(self._subscriptions)

    def subscribe(self, *, html: bool) -> "Subscription":
        """A new viewer; its first event is a snapshot."""
        subscription = Subscription(self, html=html)
        subscription.put(self.snapshot(html=html))  # what it flushes is for the others: this one has it in the snapshot
        self._subscriptions.append(subscription)
        if self.ended:
            subscription.put(Ended(self.reply_id))
        return subscription

    def unsubscribe(self, subscription: "Subscription") -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def snapshot(self, *, html: bool) -> Snapshot:
        self.flush()
        blocks = self._rendered().blocks if html else []
        text, reasoning = "".join(self._text), "".join(self._reasoning)
        return Snapshot(self.reply_id, self.attempt, text, reasoning, self.sources, blocks)

    # Frames.

    def drop_unshown(self) -> str:
        """Let go of what no viewer has seen, and return the text that stays: all of it where nobody watches."""
        if self._subscriptions:
            self._cancel_timer()
            self._waiting.clear()
            self.length = self.shown
        return self.text()

    def flush(self) -> None:
        """Send what waits as a frame, now. Without anything that waits, the next token makes a frame at once."""
        self._cancel_timer()
        if not self._waiting and not self._waiting_reasoning:
            return
        self._due = self._loop.time() + PACE.seconds
        if self._waiting_reasoning:
            text = "".join(self._waiting_reasoning)
            self._waiting_reasoning.clear()
            self._reasoning.append(text)
            self._tell(ReasoningDelta(self.reply_id, self.attempt, self._reasoning_shown, text))
            self._reasoning_shown += len(text)
        if self._waiting:
            self._flush_text()

    def _flush_text(self) -> None:
        text = "".join(self._waiting)
        self._waiting.clear()
        offset = self.shown
        wants_html = any(subscription.html for subscription in self._subscriptions)
        if wants_html or self._renderer is not None:
            change = self._rendered().feed(text)
            start, blocks = change.start, change.blocks
        else:
            start, blocks = 0, []
        self._text.append(text)
        self.shown += len(text)
        self._tell(TextDelta(self.reply_id, self.attempt, offset, text, start, blocks))

    def _rendered(self) -> StreamRenderer:
        """The renderer, made when the first viewer wants HTML, and then kept up."""
        if self._renderer is None:
            self._renderer = StreamRenderer(links(self.sources))
            if self._text:
                self._renderer.feed("".join(self._text))
        return self._renderer

    def _schedule(self) -> None:
        wait = self._due - self._loop.time()
        if wait <= 0:
            self._frame(0.0)
        else:
            self._timer = self._loop.call_later(wait, self._frame, self._due)

    def _frame(self, due: float) -> None:
        self._timer = None
        if due:
            PACE.was_late(self._loop.time() - due)
        if self.may_show():
            self.flush()
        else:
            self._timer = self._loop.call_later(FRAME_SECONDS, self._frame, 0.0)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.put(event)


def links(sources: list[dict[str, Any]] | None) -> list[SourceLink]:
    """What the renderer needs of sources to make chips of their markers."""
    return [
        SourceLink(marker=source["marker"], url=source["url"], title=source["title"])
        for source in sources or []
        if source["url"]
    ]


class Subscription:
    """One viewer's events, in order. Iterate over it; it ends after `Ended`."""

    def __init__(self, live: LiveReply, *, html: bool) -> None:
        self.live = live
        self.html = html
        self._events: deque[Event] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._done = False

    def put(self, event: Event) -> None:
        if len(self._events) >= BACKLOG and isinstance(event, TextDelta | ReasoningDelta):
            self._events.clear()
            self._events.append(self._caught_up())
        else:
            self._events.append(event)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _caught_up(self) -> Snapshot:
        live = self.live
        text, reasoning = "".join(live._text), "".join(live._reasoning)  # noqa: SLF001 - one module, one buffer
        blocks = live._renderer.blocks if self.html and live._renderer else []  # noqa: SLF001
        return Snapshot(live.reply_id, live.attempt, text, reasoning, live.sources, blocks)

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        if self._done:
            raise StopAsyncIteration
        while not self._events:
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        event = self._events.popleft()
        self._done = isinstance(event, Ended)
        return event

    def close(self) -> None:
        self.live.unsubscribe(self)
