"""Watching a reply that another process makes: its journal, and the news of it, as one live buffer."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from chats.models import Message
from chats.replies import registry
from chats.replies.live import LiveReply
from chats.representation import source_data
from chats.services import history
from core.background import spawn
from core.broadcast import Message as News
from core.broadcast import bus
from core.database import AWAY, in_database

log = structlog.get_logger(__name__)

# How often the journal is read while no news comes (the channel layer is away, or the model thinks).
POLL_SECONDS = 0.5
# While news comes, only its end could be missed.
QUIET_POLL_SECONDS = 3.0


@dataclass(frozen=True)
class Look:
    """A running reply as the database has it: what is beyond the offsets that were asked for.

    `sources` is None until they are known: before the first token.
    """

    session_id: UUID
    attempt: int
    runner_id: UUID | None
    text: str
    reasoning: str
    sources: list[dict[str, Any]] | None
    text_from: int = 0
    reasoning_from: int = 0


def look(reply_id: UUID, attempt: int = 0, text_from: int = 0, reasoning_from: int = 0) -> Look | None:
    """None when the reply is final or gone. A queued reply is looked at as the attempt that comes."""
    reply = Message.objects.running().filter(pk=reply_id).first()
    if reply is None:
        return None
    if reply.state == "queued":
        return Look(reply.session_id, reply.attempt + 1, None, "", "", None)
    if reply.attempt != attempt:
        text_from = reasoning_from = 0
    text, reasoning = history.text_so_far(reply, text_from=text_from, reasoning_from=reasoning_from)
    begun = bool(text or reasoning or text_from or reasoning_from)
    sources = [source_data(citation) for citation in reply.citations.all()] if begun else None
    return Look(reply.session_id, reply.attempt, reply.runner_id, text, reasoning, sources, text_from, reasoning_from)


def _nothing() -> None:
    """What ends a subscription that there is none of."""


class Follower:
    """Feeds a `LiveReply` while somebody watches it, until the reply is final or starts in this process.

    It begins at once, with what was `seen` of the reply, and ends by itself when nobody watches any more.
    """

    def __init__(self, live: LiveReply, seen: Look | None = None) -> None:
        self.live = live
        self._news: asyncio.Event = asyncio.Event()
        self._heard = False
        self._runner: UUID | None = None
        self._unsubscribes = {"session": bus().subscribe(f"session.{live.session_id}", self._on_session_news)}
        if seen is not None:
            live.attempt = seen.attempt
            self._take(seen)
        self.task = spawn(self._follow(), name=f"follow-{live.reply_id}")

    def stop(self) -> None:
        """Feed it no more, from this moment on: the reply is made here."""
        self.task.cancel()
        self._unsubscribe()

    def _unsubscribe(self) -> None:
        while self._unsubscribes:
            self._unsubscribes.popitem()[1]()

    async def _follow(self) -> None:
        try:
            while self.live.is_watched and not self.live.ended:
                await self._wait()
                try:
                    await self._look()
                except Exception:  # who watches would wait for ever
                    log.exception("journal not read", reply=str(self.live.reply_id))
        finally:
            self._unsubscribe()
        registry.discard(self.live)  # not where it was stopped: who makes the reply feeds the same buffer

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(QUIET_POLL_SECONDS if self._heard else POLL_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass
        self._heard = False
        self._news.clear()

    async def _look(self) -> None:
        live = self.live
        try:
            seen = await in_database(look, live.reply_id, live.attempt, live.length, live.reasoning_length)
            if seen is not None and seen.attempt != live.attempt:
                live.restart(seen.attempt)
                seen = await in_database(look, live.reply_id, live.attempt) or seen
        except AWAY as error:
            log.warning("journal not read", error=type(error).__name__)
            return
        if seen is None:
            live.end()
        else:
            self._take(seen)

    def _take(self, seen: Look) -> None:
        live = self.live
        if seen.attempt != live.attempt:
            return
        if seen.sources is not None and live.sources is None:
            live.know_sources(seen.sources)
        # News may have brought some of it while the database was asked.
        if reasoning := seen.reasoning[live.reasoning_length - seen.reasoning_from :]:
            live.append_reasoning(reasoning)
        if text := seen.text[live.length - seen.text_from :]:
            live.append(text)
        if seen.runner_id is not None and seen.runner_id != self._runner:
            self._runner = seen.runner_id
            self._unsubscribes.pop("journal", _nothing)()
            self._unsubscribes["journal"] = bus().subscribe(f"journal.{seen.runner_id}", self._on_pieces)

    def _on_pieces(self, news: News) -> None:
        for reply_id, attempt, kind, offset, text in news["pieces"]:
            if reply_id == str(self.live.reply_id):
                self._on_piece(attempt, kind, offset, text)

    def _on_piece(self, attempt: int, kind: str, offset: int, text: str) -> None:
        live = self.live
        length = live.length if kind == "text" else live.reasoning_length
        if attempt != live.attempt or offset > length or live.sources is None:
            self._news.set()  # something is missing here, sources to be shown first maybe: the database has it
            return
        self._heard = True
        fresh = text[length - offset :]
        if fresh:
            (live.append if kind == "text" else live.append_reasoning)(fresh)

    def _on_session_news(self, news: News) -> None:
        if news.get("event") in ("reply.ended", "reply.restarted", "turn"):
            self._news.set()
