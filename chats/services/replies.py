"""The life of a reply in the database: queued, streaming, ended. Every change is a conditional UPDATE.

A reply that streams belongs to the runner named in its row, for as long as that runner's row is there. Whatever a
runner writes is written under that condition, so one whose lease was taken can't write.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from chats.models import ChatSession, Citation, Message, ReplyAttempt, ReplyChunk
from chats.services import branches, history, quota
from chats.services.news import tell
from core import statements
from core.statements import Prepared

INTERRUPTION_LIMIT = 3
CLAIM = (
    "UPDATE chats_message SET state = 'streaming', runner_id = %s, attempt = attempt + 1, started_at = %s,"
    " first_token_at = NULL"
    " WHERE id = %s AND state = 'queued' AND EXISTS (SELECT 1 FROM chats_runner WHERE chats_runner.id = %s)"
    " RETURNING id"
)
# Of a reply that was not claimed just now nothing is noted: it is not the runner's, or it is noted already.
NOTE = (
    "INSERT INTO chats_replyattempt"
    " (reply_id, attempt, runner, runner_name, started_at, outcome, error_code, request_id, prompt)"
    " SELECT id, attempt, runner_id, %s, started_at, '', '', '', '[]' FROM chats_message"
    " WHERE id = %s AND runner_id = %s AND state = 'streaming' ON CONFLICT DO NOTHING"
)
CLAIMED = Prepared(
    lambda reply_id: (
        Message.objects.filter(pk=reply_id).select_related("session__course", "session__user", "parent").order_by()
    ),
    UUID,
)
ENDING = Prepared(lambda reply_id: Message.objects.filter(pk=reply_id).select_related("session").order_by(), UUID)
HELD = "SELECT 1 FROM chats_message WHERE id = %s AND attempt = %s AND runner_id = %s AND state = 'streaming' "


@dataclass(frozen=True)
class Job:
    """A claimed reply with all that making it needs."""

    reply: Message
    session: ChatSession
    question: Message
    earlier: list[Message]  # the branch before the question, oldest first

    @property
    def attempt(self) -> int:
        return self.reply.attempt


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a running reply's text for the journal; `offset` counts the code points before it."""

    reply_id: UUID
    attempt: int
    kind: str
    offset: int
    text: str


@dataclass(frozen=True)
class Flushed:
    """Which replies are still the runner's, and which of them somebody wants stopped."""

    held: set[UUID]
    stopping: set[UUID]


@dataclass(frozen=True)
class Ending:
    """How an attempt ended."""

    reply_id: UUID
    attempt: int
    state: str
    content: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error_code: str = ""
    error_message: str = ""
    request_id: str = ""
    first_token_at: datetime | None = None
    processing_time_ms: int | None = None
    cited: frozenset[int] = field(default_factory=frozenset)
    title: str = ""


def claim(*, reply_id: UUID, runner_id: UUID, runner_name: str) -> Job | None:
    """Take a queued reply for a runner; None when another was faster, it is not queued, or the lease is gone."""
    reply = _claimed(reply_id, runner_id, runner_name)
    if reply is None:
        return None
    question = reply.parent
    assert question is not None, "a reply answers a question"  # noqa: S101 - the turn's transaction made both
    return Job(reply, reply.session, question, _before(question))


@transaction.atomic
def _claimed(reply_id: UUID, runner_id: UUID, runner_name: str) -> Message | None:
    runner, key = statements.key(runner_id), statements.key(reply_id)
    claiming = CLAIM, [runner, statements.stored(timezone.now()), key, runner]
    noting = NOTE, [runner_name, key, runner]
    is_ours, _, found = statements.fetch_each(claiming, noting, CLAIMED.query(reply_id), last=True)
    return CLAIMED.read(found)[0] if is_ours else None


def _before(question: Message) -> list[Message]:
    if question.parent_id is None or not settings.CHAT_HISTORY_TURNS:
        return []
    ids = branches.ids_up_from(
        start=question.parent_id,
        session_id=question.session_id,
        count=2 * settings.CHAT_HISTORY_TURNS,
        roles=history.SPOKEN,
    )
    rows = Message.objects.filter(pk__in=ids, role__in=history.SPOKEN, deleted_at__isnull=True)
    return list(rows.only("id", "role", "content", "state").order_by("ordinal"))


@transaction.atomic
def record_sources(
    *, reply_id: UUID, attempt: int, runner_id: UUID, citations: Sequence[Citation], prompt: str
) -> bool:
    """Note what is given to the model, in place of what was noted before. False: no longer ours, nothing written."""
    key = statements.key(reply_id)
    holding = HELD + statements.for_update(), [key, attempt, statements.key(runner_id)]
    with statements.together():
        held = statements.asked(*holding)
        statements.send("DELETE FROM chats_citation WHERE message_id = %s", [key])
        # What is known after that is another attempt's, and this one not held.
        statements.insert(citations, skip_known=True)
        statements.put(ReplyAttempt, "reply_id = %s AND attempt = %s", [key, attempt], prompt=prompt)
    if not held():
        transaction.set_rollback(True)
        return False
    return True


@transaction.atomic
def flush(*, runner_id: UUID, running: Sequence[UUID], pieces: Sequence[Piece]) -> Flushed:
    """Append what came to the journal, one insert for all replies of a runner, and learn what became of them.

    The same pieces may be flushed again after a failure whose outcome is unknown.
    """
    rows = _held(runner_id, running)
    held = {reply_id: attempt for reply_id, attempt, _ in rows}
    _append([piece for piece in pieces if held.get(piece.reply_id) == piece.attempt])
    return Flushed(set(held), {reply_id for reply_id, _, stop in rows if stop is not None})


def _append(pieces: Sequence[Piece]) -> None:
    """Insert chunks; one that is there already stays. By hand: the models of hundreds of rows would cost more."""
    if not pieces:
        return
    as_key = ReplyChunk._meta.get_field("reply").get_db_prep_value
    rows = [
        (as_key(piece.reply_id, connection), piece.attempt, piece.kind, piece.offset, piece.text) for piece in pieces
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT_CHUNK, rows)


_INSERT_CHUNK = (
    f'INSERT INTO {ReplyChunk._meta.db_table} (reply_id, attempt, kind, "offset", text)'  # noqa: S608 - our own name
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)


def _held(runner_id: UUID, reply_ids: Sequence[UUID]) -> list[tuple[UUID, int, datetime | None]]:
    """Lock the replies that are still the runner's: (id, attempt, when a stop was asked for)."""
    rows = Message.objects.filter(pk__in=reply_ids, runner_id=runner_id, state="streaming")
    if connection.features.has_select_for_no_key_update:
        rows = rows.select_for_update(no_key=True, of=("self",))
    return list(rows.values_list("pk", "attempt", "stop_requested_at"))


@transaction.atomic
def finish(*, runner_id: UUID, ending: Ending) -> bool:
    """End a reply: its text, its state and its cost, and its journal goes. False: no longer ours, nothing written."""
    return _end(ending, "state = 'streaming' AND runner_id = %s", [statements.key(runner_id)])


@transaction.atomic
def end_waiting(ending: Ending) -> bool:
    """End a reply that nobody runs at the moment. False: somebody does by now, or it has ended."""
    return _end(ending, "state = 'queued'", [])


def stopped(reply: Message) -> Ending:
    """The end of a reply that was stopped while nobody ran it, with what was shown of it."""
    content, reasoning = history.text_shown(reply)
    return Ending(
        reply_id=reply.pk,
        attempt=reply.attempt,
        state="stopped",
        content=content,
        reasoning=reasoning,
        finish_reason="stopped",
        model=reply.model,
    )


def _end(ending: Ending, condition: str, parameters: Sequence[Any]) -> bool:
    now = timezone.now()
    key = statements.key(ending.reply_id)
    where = f"id = %s AND attempt = %s AND {condition}"
    update, values = statements.updating(
        Message, where, [key, ending.attempt, *parameters], **_final_fields(ending, now)
    )
    found, ended = statements.fetch_each(ENDING.query(ending.reply_id), (f"{update} RETURNING id", values))
    if not ended:
        return False
    [reply] = ENDING.read(found)
    with statements.together(last=True):
        statements.send("DELETE FROM chats_replychunk WHERE reply_id = %s", [key])
        _mark_cited(key, ending.cited)
        _close_attempt(ending, now)
        quota.settle(
            reply=reply,
            user_id=reply.session.user_id,
            course_id=reply.session.course_id,
            prompt_tokens=ending.prompt_tokens or 0,
            completion_tokens=ending.completion_tokens or 0,
        )
        _touch_session(reply, ending, now)
    tell(reply.session_id, "reply.ended", reply=reply.pk)
    return True


def _mark_cited(key: Any, markers: Collection[int]) -> None:
    """Say of each of the reply's sources whether its text used it."""
    used = f"marker IN ({', '.join(['%s'] * len(markers))})" if markers else "1 = 0"
    statements.send(f"UPDATE chats_citation SET cited = ({used}) WHERE message_id = %s", [*markers, key])  # noqa: S608 - marks only


def _final_fields(ending: Ending, now: datetime) -> dict[str, Any]:
    return {
        "state": ending.state,
        "content": ending.content,
        "reasoning": ending.reasoning,
        "finish_reason": ending.finish_reason,
        "model": ending.model[:100],
        "prompt_tokens": ending.prompt_tokens,
        "completion_tokens": ending.completion_tokens,
        "reserved_tokens": 0,
        "error_code": ending.error_code,
        "error_message": ending.error_message,
        "first_token_at": ending.first_token_at,
        "finished_at": now,
        "processing_time_ms": ending.processing_time_ms,
    }


def _close_attempt(ending: Ending, now: datetime) -> None:
    statements.put(
        ReplyAttempt,
        "reply_id = %s AND attempt = %s",
        [statements.key(ending.reply_id), ending.attempt],
        outcome=ending.state,
        error_code=ending.error_code,
        request_id=ending.request_id[:200],
        first_token_at=ending.first_token_at,
        finished_at=now,
    )


def _touch_session(reply: Message, ending: Ending, now: datetime) -> None:
    key = [statements.key(reply.session_id)]
    statements.put(ChatSession, "id = %s", key, last_activity_at=now)
    if ending.title:
        named = {"title": ending.title[:200], "title_source": ChatSession.TitleSource.QUESTION}
        statements.put(ChatSession, "id = %s AND title = ''", key, **named)
