"""Group commit: what all replies of this process got since the last time becomes one insert."""

import asyncio
import time
from collections.abc import Callable, Collection
from uuid import UUID

import structlog
from django.conf import settings

from chats.replies.lease import Lease
from chats.replies.run import Run
from chats.services import replies
from chats.services.replies import Flushed, Piece
from core import metrics
from core.broadcast import bus
from core.database import AWAY, in_supervision

log = structlog.get_logger(__name__)


class Journal:
    """Appends the text of `runs` to the database every REPLY_JOURNAL_MS while there are any."""

    def __init__(self, lease: Lease, runs: Callable[[], Collection[Run]]) -> None:
        self._lease = lease
        self._runs = runs
        self._pending: list[Piece] = []
        self._written_until = self._taken_at = time.monotonic()
        self._awake = asyncio.Event()
        self._flushing = asyncio.Lock()

    def wake(self) -> None:
        self._awake.set()

    async def flush_forever(self) -> None:
        while True:
            if not self._runs():
                self._awake.clear()
                await self._awake.wait()
                self._written_until = time.monotonic()
            started = time.monotonic()
            try:
                await self.flush()
            except Exception:
                log.exception("journal failed")
            spent = time.monotonic() - started
            await asyncio.sleep(max(0.01, settings.REPLY_JOURNAL_MS / 1000 - spent))

    async def flush(self) -> bool:
        """Write what waits. False when the database did not take it: the same pieces are tried again, first."""
        async with self._flushing:
            runs = {run.job.reply.pk: run for run in self._runs() if run.ending is None}
            if not runs:
                return True
            if not self._pending:
                self._taken_at = time.monotonic()
                self._pending = [piece for run in runs.values() for piece in run.unflushed()]
            try:
                flushed = await in_supervision(
                    replies.flush, runner_id=self._lease.runner_id, running=list(runs), pieces=self._pending
                )
            except AWAY as error:
                log.warning("journal waits for the database", error=type(error).__name__)
                return False
            pieces, self._pending = self._pending, []
            if pieces:  # the oldest of them came after what was written before them was taken
                metrics.JOURNAL_LAG_SECONDS.observe(time.monotonic() - self._written_until)
            self._written_until = self._taken_at
            self._publish(pieces, flushed)
            self._heed(runs, flushed)
            return True

    def _publish(self, pieces: list[Piece], flushed: Flushed) -> None:
        """One message for the viewers on all other processes."""
        news = [
            [str(piece.reply_id), piece.attempt, piece.kind, piece.offset, piece.text]
            for piece in pieces
            if piece.reply_id in flushed.held
        ]
        if news:
            bus().publish(f"journal.{self._lease.runner_id}", {"pieces": news})

    def _heed(self, runs: dict[UUID, Run], flushed: Flushed) -> None:
        for reply_id, run in runs.items():
            if reply_id in flushed.stopping:
                run.cancel("stop")
            elif reply_id not in flushed.held:
                run.cancel("lost")
