"""Who runs replies: a row per process with a heartbeat, and what happens to the replies of one that died."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils import timezone

from chats.models import Message, ReplyAttempt, Runner
from chats.services import replies

INTERRUPTED, HANDED_OVER = "interrupted", "handed_over"


@dataclass(frozen=True)
class Survey:
    """What one look at the database shows a supervisor."""

    runners: list[tuple[UUID, str, datetime, float]]  # id, host, heartbeat, its age in seconds of database time
    queued: list[UUID]  # those that are anyone's
    waiting: set[UUID]  # all that are queued
    streaming: dict[UUID, UUID | None]  # by which runner

    @property
    def orphaned(self) -> list[UUID]:
        """Replies that stream for a runner that has no row any more."""
        known = {runner_id for runner_id, *_ in self.runners}
        return [reply_id for reply_id, runner_id in self.streaming.items() if runner_id not in known]

    def held_by(self, runner_id: UUID) -> set[UUID]:
        return {reply_id for reply_id, holder in self.streaming.items() if holder == runner_id}


def enlist(*, runner_id: UUID, host: str, pid: int) -> None:
    """Make the lease's row. Safe to repeat when nobody knows whether it was made."""
    Runner.objects.update_or_create(pk=runner_id, defaults={"host": host, "pid": pid, "heartbeat_at": Now()})


def beat(*, runner_id: UUID) -> bool:
    """Renew the lease. False: it was taken, and with it all replies."""
    return bool(Runner.objects.filter(pk=runner_id).update(heartbeat_at=Now()))


def survey(*, grace_seconds: float) -> Survey:
    """Runners, the replies that stream, and those that are queued: anyone's when they wait longer than `grace_seconds`
    or were handed back.
    """
    now = ExpressionWrapper(Now(), output_field=DateTimeField())
    runners = [
        (row.pk, row.host, row.heartbeat_at, (row.now - row.heartbeat_at).total_seconds())
        for row in Runner.objects.annotate(now=now)
    ]
    running = list(Message.objects.running().values_list("pk", "state", "runner_id", "attempt", "created_at"))
    present = timezone.now()
    return Survey(
        runners,
        [
            pk
            for pk, state, _, attempt, created_at in running
            if state == "queued" and (attempt or (present - created_at).total_seconds() > grace_seconds)
        ],
        {pk for pk, state, *_ in running if state == "queued"},
        {pk: runner_id for pk, state, runner_id, *_ in running if state == "streaming"},
    )


@transaction.atomic
def take_over(*, runner_id: UUID, heartbeat_at: datetime) -> list[UUID]:
    """Requeue the replies of a runner whose heartbeat still is what was seen. Its row goes, so it can't come back."""
    row = Runner.objects.filter(pk=runner_id)
    if connection.features.has_select_for_update_skip_locked:
        # A process that froze in the middle of a heartbeat holds its row; nobody waits for it.
        row = row.select_for_update(skip_locked=True)
    # Compared here: SQLite compares times as texts, and its own clock writes them shorter than Django does.
    dead = row.first()
    if dead is None or dead.heartbeat_at != heartbeat_at:
        return []
    Runner.objects.filter(pk=runner_id).delete()
    return requeue(Q(runner_id=runner_id))


@transaction.atomic
def resign(*, runner_id: UUID) -> list[UUID]:
    """Give all replies back at once, for a process that ends in good order."""
    Runner.objects.filter(pk=runner_id).delete()
    return requeue(Q(runner_id=runner_id), outcome=HANDED_OVER)


@transaction.atomic
def give_back(*, runner_id: UUID, reply_ids: Collection[UUID]) -> list[UUID]:
    """Requeue replies that are a runner's by their rows, but that it does not run: their claim's answer was lost.

    Nobody died with them, so it does not count against them.
    """
    return requeue(Q(pk__in=reply_ids, runner_id=runner_id), outcome=HANDED_OVER)


def requeue(which: Q, *, outcome: str = INTERRUPTED) -> list[UUID]:
    """Queue streaming replies again, or end those to be stopped or interrupted too often. Returns the queued ones."""
    rows = Message.objects.filter(which, state="streaming")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    queued = []
    for reply in rows.select_related("session__course"):
        _interrupt(reply, outcome)
        if reply.stop_requested_at is not None:
            _finish(reply, replies.stopped(reply))
        elif _interruptions(reply) >= replies.INTERRUPTION_LIMIT:
            _finish(reply, _given_up(reply))
        else:
            Message.objects.filter(pk=reply.pk, state="streaming").update(state="queued", runner=None)
            queued.append(reply.pk)
    return queued


@transaction.atomic
def adopt(reply_ids: Sequence[UUID]) -> list[UUID]:
    """Requeue replies that stream for a runner without a row."""
    return requeue(Q(pk__in=reply_ids) & ~Q(runner__in=Runner.objects.all()))


def count_streaming(runner_ids: Sequence[UUID]) -> int:
    return Message.objects.filter(state="streaming", runner_id__in=runner_ids).count()


def _interrupt(reply: Message, outcome: str) -> None:
    ReplyAttempt.objects.filter(reply=reply, attempt=reply.attempt, finished_at=None).update(
        outcome=outcome, finished_at=timezone.now()
    )


def _interruptions(reply: Message) -> int:
    """How often a process died with the reply. Being handed over in good order does not count against it."""
    return ReplyAttempt.objects.filter(reply=reply, outcome=INTERRUPTED).count()


def _given_up(reply: Message) -> replies.Ending:
    """The end of a reply that was interrupted too often, with what there was of it."""
    return replace(
        replies.stopped(reply),
        state="failed",
        finish_reason="error",
        error_code="interrupted",
        error_message="The server was interrupted three times while answering. Try again.",
    )


def _finish(reply: Message, ending: replies.Ending) -> None:
    if reply.runner_id is not None:
        replies.finish(runner_id=reply.runner_id, ending=ending)
