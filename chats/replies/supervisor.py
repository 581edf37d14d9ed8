"""What keeps replies alive in a process: it claims them, runs them, journals them, and takes over from the dead."""

import asyncio
import random
from uuid import UUID

import structlog
from django.conf import settings
from django.utils import timezone
from structlog.contextvars import bind_contextvars

from chats.llm.protocol import Provider
from chats.replies import preparation, registry, titles
from chats.replies.following import Follower, Look, look
from chats.replies.journal import Journal
from chats.replies.lease import Lease, Watch, sweep_lock_file
from chats.replies.live import LiveReply, Subscription
from chats.replies.run import Run
from chats.replies.rush import Rush
from chats.services import leases, replies
from core import metrics
from core.background import spawn
from core.broadcast import bus
from core.database import AWAY, in_database, in_supervision

log = structlog.get_logger(__name__)

SURVEY_SECONDS = 1.0
# A reply that its own process has not claimed by then is anyone's.
QUEUE_GRACE_SECONDS = 1.0


class Supervisor:
    """One a process. Make it on the event loop and `start` it; `drain` and `stop` it in the end."""

    def __init__(self, provider: Provider | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.draining = False
        self.lease = Lease(self._lost)
        self.provider = provider or preparation.provider()
        self._runs: dict[UUID, Run] = {}
        self._claiming: dict[UUID, asyncio.Event] = {}
        self._rush = Rush()
        self._followers: dict[UUID, Follower] = {}
        self._journal = Journal(self.lease, self._runs.values)
        self._watch = Watch()
        self._waiting: set[UUID] = set()  # replies that were queued at the last look
        self._ready = asyncio.Event()
        self._survey_now = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._titles: set[asyncio.Task[None]] = set()
        self._unsubscribes = [
            bus().subscribe("replies.stop", lambda news: self.stop_reply(UUID(news["reply"]))),
            bus().subscribe("replies.handed_over", lambda _: self._survey_now.set()),
        ]

    # Its own life.

    def start(self) -> None:
        self._tasks = [
            spawn(self._live(), name="replies-lease"),
            spawn(self._journal.flush_forever(), name="replies-journal"),
            spawn(self._recover_forever(), name="replies-recovery"),
        ]

    async def _live(self) -> None:
        while not self._ready.is_set():
            try:
                await self.lease.take()
                self._ready.set()
            except AWAY as error:
                log.warning("waiting for the database", error=type(error).__name__)
                await asyncio.sleep(SURVEY_SECONDS)
        await self.lease.renew_forever()

    async def drain(self, grace_seconds: float) -> None:
        """Take no new replies, give the running ones some time, then hand over what still runs."""
        self.draining = True
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=grace_seconds)
        await self._journal.flush()
        for run in tuple(self._runs.values()):
            run.cancel("handover")

    async def stop(self) -> None:
        """End at once and in good order. Idempotent."""
        await self.drain(0)
        # A title that isn't done by now is asked for again after the conversation's next reply.
        ending = [*self._tasks, *self._titles]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for unsubscribe in self._unsubscribes:
            unsubscribe()
        for follower in tuple(self._followers.values()):
            follower.stop()
        try:
            if self._ready.is_set():
                await in_supervision(leases.resign, runner_id=self.lease.runner_id)
                bus().publish("replies.handed_over", {})
        except AWAY as error:
            log.warning("lease not given up", error=type(error).__name__)
        self.lease.give_up()
        await self.provider.aclose()

    # Replies made here.

    def run(self, reply_id: UUID) -> None:
        """Claim a queued reply and make it, unless somebody else does. Returns at once."""
        if not self.draining and reply_id not in self._claiming and reply_id not in self._runs:
            self._claiming[reply_id] = asyncio.Event()
            spawn(self._claim_and_make(reply_id), name=f"reply-{reply_id}")

    async def _claim_and_make(self, reply_id: UUID) -> None:
        # The task has a context of its own, begun with that of the request that asked, if one did.
        bind_contextvars(reply_id=str(reply_id))
        try:
            run = await self._claim(reply_id)
        except AWAY as error:
            log.warning("reply not claimed", error=type(error).__name__)
            return  # it is queued, or ours without our knowing: the next survey finds it
        finally:
            self._claiming.pop(reply_id).set()
        if run is not None:
            job = run.job
            bind_contextvars(session_id=str(job.session.pk), user_id=job.session.user_id, attempt=job.attempt)
            await self._make(run)

    async def _claim(self, reply_id: UUID) -> Run | None:
        await self._ready.wait()
        with self._rush:
            job = await in_database(
                replies.claim, reply_id=reply_id, runner_id=self.lease.runner_id, runner_name=self.lease.name
            )
        return None if job is None else Run(job, self._live_for(job), self.provider, self.lease, self._rush)

    def _live_for(self, job: replies.Job) -> LiveReply:
        """The buffer of a reply that starts here: its viewers may be waiting already."""
        if (follower := self._followers.pop(job.reply.pk, None)) is not None:
            follower.stop()
        live = registry.add(LiveReply(job.reply.pk, job.session.pk, job.attempt))
        if live.attempt != job.attempt:
            live.restart(job.attempt)
        live.may_show = self.lease.may_show
        return live

    async def _make(self, run: Run) -> None:
        self._runs[run.job.reply.pk] = run
        metrics.REPLIES_RUNNING.inc()
        run.task = asyncio.current_task()
        self._journal.wake()
        final = False
        try:
            final = await run.make()
        finally:
            del self._runs[run.job.reply.pk]
            metrics.REPLIES_RUNNING.dec()
            registry.discard(run.live)
            if not final and run.live.is_watched and not self.loop.is_closed():
                self._follow(run.live)
        if final:
            measure(run)
            run.live.end()
            if (task := titles.write_if_missing(run.job.session, self.provider)) is not None:
                self._titles.add(task)
                task.add_done_callback(self._titles.discard)

    def stop_reply(self, reply_id: UUID) -> None:
        if (run := self._runs.get(reply_id)) is not None:
            run.cancel("stop")

    def _lost(self) -> None:
        for run in tuple(self._runs.values()):
            run.cancel("lost")

    # Replies watched here.

    async def subscribe(self, reply_id: UUID, *, html: bool) -> Subscription | None:
        """A viewer of a running reply, wherever it is made; None when it does not run (any more)."""
        if (claimed := self._claiming.get(reply_id)) is not None:
            await claimed.wait()
        live = registry.get(reply_id)
        if live is None:
            seen = await in_database(look, reply_id)
            live = registry.get(reply_id)
            if live is None:
                if seen is None:
                    return None
                live = LiveReply(reply_id, seen.session_id)
                self._follow(live, seen)
        return live.subscribe(html=html)

    def _follow(self, live: LiveReply, seen: Look | None = None) -> None:
        live.may_show = lambda: True
        registry.add(live)
        follower = self._followers[live.reply_id] = Follower(live, seen)
        follower.task.add_done_callback(lambda _: self._forget(follower))

    def _forget(self, follower: Follower) -> None:
        if self._followers.get(follower.live.reply_id) is follower:
            del self._followers[follower.live.reply_id]

    # Replies that others left.

    async def _recover_forever(self) -> None:
        await self._ready.wait()
        while True:
            if not self.draining:
                try:
                    await self._recover()
                except AWAY as error:
                    log.warning("recovery waits for the database", error=type(error).__name__)
                except Exception:
                    log.exception("recovery failed")
            try:
                async with asyncio.timeout(SURVEY_SECONDS * random.uniform(0.8, 1.2)):  # noqa: S311 - only jitter
                    await self._survey_now.wait()
            except TimeoutError:
                pass
            self._survey_now.clear()

    async def _recover(self) -> None:
        seen = await in_supervision(leases.survey, grace_seconds=QUEUE_GRACE_SECONDS)
        self._watch.look()
        # By the clock, or seen twice: a clock that was set back must not make a reply wait.
        queued = [*seen.queued, *(seen.waiting & self._waiting)]
        self._waiting = seen.waiting
        for runner_id, host, heartbeat_at, age in seen.runners:
            if runner_id != self.lease.runner_id and self._watch.is_dead(runner_id, host, heartbeat_at, age):
                taken = await in_supervision(leases.take_over, runner_id=runner_id, heartbeat_at=heartbeat_at)
                log.warning("took over", runner=str(runner_id), replies=len(taken))
                metrics.REPLY_RECOVERIES.inc(len(taken))
                sweep_lock_file(runner_id)
                queued += taken
        self._watch.forget_all_but({runner_id for runner_id, *_ in seen.runners})
        if seen.orphaned:
            queued += await in_supervision(leases.adopt, seen.orphaned)
        if unknown := seen.held_by(self.lease.runner_id) - self._runs.keys() - self._claiming.keys():
            queued += await in_supervision(leases.give_back, runner_id=self.lease.runner_id, reply_ids=unknown)
        for reply_id in queued:
            self.run(reply_id)


_current: Supervisor | None = None


def measure(run: Run) -> None:
    """Count how a reply ended, and how long its student waited: from the question's commit, other attempts included."""
    ending, asked = run.ending, run.job.reply.created_at
    if ending is None:
        return
    metrics.REPLY_SECONDS.labels(ending.state).observe((timezone.now() - asked).total_seconds())
    if ending.first_token_at is not None:
        metrics.FIRST_TOKEN_SECONDS.observe((ending.first_token_at - asked).total_seconds())
    if ending.error_code:
        metrics.REPLY_ERRORS.labels(ending.error_code).inc()


def running() -> Supervisor:
    """The supervisor of this event loop, started on first use."""
    global _current  # noqa: PLW0603 - one a process
    if _current is None or _current.loop is not asyncio.get_running_loop():
        _current = Supervisor()
        _current.start()
    return _current


def current() -> Supervisor | None:
    """The supervisor of this process, from any thread; None where none runs."""
    return _current if _current is not None and not _current.loop.is_closed() else None


def grace() -> float:
    return float(settings.SHUTDOWN_GRACE_SECONDS)
