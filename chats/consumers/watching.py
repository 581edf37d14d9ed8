"""How a page is told a reply while it runs, and its end."""

import asyncio
from uuid import UUID

from chats import replies
from chats.consumers.frames import delta_frame, shown
from chats.consumers.line import Line
from chats.consumers.visitor import Visitor
from chats.models import Message
from chats.replies.events import Ended, Event, ReasoningDelta, Restarted, Snapshot, SourcesKnown, TextDelta
from chats.representation import session_data
from core.database import AWAY, in_database
from core.errors import NotFound

RESTARTING = 1012
RUNNING = ("queued", "streaming")

Seen = tuple[int, int]
"""Attempt and offset up to which a page has a reply's text."""


class Watching:
    """The one reply that a page watches, if any."""

    def __init__(self, line: Line, visitor: Visitor) -> None:
        self._line, self._visitor = line, visitor
        self._watcher: asyncio.Task[None] | None = None
        self._ended: set[str] = set()
        self.reply_id: str | None = None

    @property
    def is_on(self) -> bool:
        return self._watcher is not None and not self._watcher.done()

    async def begin(self, reply_id: UUID, *, seen: Seen | None) -> bool:
        """Tell the reply as it comes, in place of any other. False, and nothing is told, when it does not run.

        `seen` is what the page has of it; None for one that just opened and gets it with `ready`.
        """
        try:
            subscription = await replies.subscribe(reply_id, html=True)
        except NotFound:
            return False
        self.leave()
        self.reply_id = str(reply_id)
        teller = ReplyTeller(self._line, self._visitor, seen)
        try:
            await teller.tell(await anext(subscription))
        except BaseException:
            subscription.close()
            raise
        self._watcher = self._line.start(self._tell(subscription, teller))
        return True

    def leave(self) -> None:
        """Nothing more is told of the reply that is watched now."""
        if self._watcher is not None:
            self._watcher.cancel()
        self._watcher = self.reply_id = None

    async def _tell(self, subscription: replies.Subscription, teller: "ReplyTeller") -> None:
        try:
            async for event in subscription:
                if isinstance(event, Ended):
                    await self.tell_end(str(event.reply_id))
                else:
                    await teller.tell(event)
        except AWAY:
            await self._line.close(RESTARTING)
        except Exception:
            await self._line.close(RESTARTING)
            raise
        finally:
            subscription.close()

    async def tell_end(self, reply_id: str, *, again: bool = False) -> None:
        """Tell a reply that is final, once unless `again`; nothing where it is not."""
        if reply_id in self._ended and not again:
            return
        self._ended.add(reply_id)
        try:
            message = await in_database(shown, UUID(reply_id))
        except Message.DoesNotExist:
            return
        if message["state"] in RUNNING:
            self._ended.discard(reply_id)
        else:
            await self._line.tell("reply.finished", message=message)

    def expect(self, reply_id: str) -> None:
        """This reply begins (again): its end is to be told."""
        self._ended.discard(reply_id)


class ReplyTeller:
    """Turns a reply's events into frames for one page that has seen it up to some offset of some attempt."""

    def __init__(self, line: Line, visitor: Visitor, seen: Seen | None) -> None:
        self._line, self._visitor = line, visitor
        self._opening = seen is None
        self._attempt, self._offset = seen or (0, 0)
        self._reasoning = 0

    async def tell(self, event: Event) -> None:
        tell = self._line.tell
        if isinstance(event, TextDelta):
            self._offset = event.offset + len(event.text)
            await self._line.tell_frame(event.encode("socket", delta_frame))
        elif isinstance(event, Snapshot):
            await (self._tell_opening(event) if self._opening else self._tell_snapshot(event))
        elif isinstance(event, ReasoningDelta):
            await self._tell_reasoning(event.reply_id, event.attempt, event.offset, event.text)
        elif isinstance(event, SourcesKnown):
            await tell("reply.sources", reply_id=event.reply_id, attempt=event.attempt, sources=event.sources)
        elif isinstance(event, Restarted):
            self._attempt, self._offset, self._reasoning = event.attempt, 0, 0
            await tell("reply.restarted", reply_id=event.reply_id, attempt=event.attempt)

    async def _tell_reasoning(self, reply_id: UUID, attempt: int, offset: int, text: str) -> None:
        self._reasoning = offset + len(text)
        await self._line.tell("reply.reasoning", reply_id=reply_id, attempt=attempt, offset=offset, text=text)

    async def _tell_opening(self, event: Snapshot) -> None:
        self._opening = False
        self._attempt, self._offset, self._reasoning = event.attempt, len(event.text), len(event.reasoning)
        reply = {
            "reply_id": event.reply_id,
            "attempt": event.attempt,
            "offset": self._offset,
            "text": event.text,
            "html": event.blocks,
            "reasoning": event.reasoning,
            "sources": event.sources or [],
        }
        await self._line.tell("ready", session=session_data(self._visitor.session), reply=reply)

    async def _tell_snapshot(self, event: Snapshot) -> None:
        """What this page has not seen yet of the text so far; all of it when it has seen another attempt."""
        tell, reply_id, attempt = self._line.tell, event.reply_id, event.attempt
        if self._attempt not in (0, attempt):
            self._offset = self._reasoning = 0
            await tell("reply.restarted", reply_id=reply_id, attempt=attempt)
        resumed = self._attempt != 0
        self._attempt = attempt
        if event.sources is not None:
            await tell("reply.sources", reply_id=reply_id, attempt=attempt, sources=event.sources)
        if len(event.reasoning) > self._reasoning:
            await self._tell_reasoning(reply_id, attempt, self._reasoning, event.reasoning[self._reasoning :])
        if resumed or event.text:
            offset = min(self._offset, len(event.text))
            self._offset = len(event.text)
            delta = TextDelta(reply_id, attempt, offset, event.text[offset:], 0, event.blocks)
            await self._line.tell_frame(delta_frame(delta))
