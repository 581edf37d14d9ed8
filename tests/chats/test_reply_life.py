"""The life of a reply, in any order of things that can happen to it: a state machine over the services.

Runners are rows here, as they are to the services: one that froze keeps believing in its lease, one that died does not
come back. What each of them believes is kept beside, so that the test knows who may write.
"""

from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chats.exceptions import ReplyRunning
from chats.models import ChatSession, Citation, Message, ReplyChunk, Runner, Usage
from chats.services import history, leases, quota, replies, sessions, turns
from chats.services.replies import Ending, Job, Piece
from chats.services.stopping import request_stop
from core.ids import uuid7

pytestmark = pytest.mark.django_db
FINAL = ("complete", "stopped", "failed")


class Attempt:
    """What a process believes of a reply that it claimed."""

    def __init__(self, runner_id: UUID, job: Job) -> None:
        self.runner_id, self.job = runner_id, job
        self.text = ""
        self.flushed = 0

    @property
    def is_held(self) -> bool:
        return Message.objects.filter(
            pk=self.job.reply.pk, state="streaming", runner_id=self.runner_id, attempt=self.job.attempt
        ).exists()


class ReplyLife(RuleBasedStateMachine):
    runners = Bundle("runners")
    attempts = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.student = User.objects.create_user(f"student-{uuid7()}")
        self.session: ChatSession = sessions.create(user=self.student)[0]
        self.promised: dict[UUID, str] = {}
        self.ends: dict[UUID, tuple[str, str]] = {}
        self.journal: dict[tuple[UUID, int], str] = {}
        self.sources: dict[UUID, str] = {}
        self.live: list[UUID] = []
        self.number = 0

    def teardown(self) -> None:
        Runner.objects.all().delete()
        self.student.delete()

    # The student.

    @rule()
    def asks(self) -> None:
        self.number += 1
        text, client_id = f"Question {self.number}?", f"c{self.number}"
        try:
            turn = turns.ask(user=self.student, session_id=self.session.pk, text=text, client_id=client_id)
        except ReplyRunning:
            assert Message.objects.running().filter(session=self.session).exists()
            return
        self.promised[turn.user_message.pk] = text
        again = turns.ask(user=self.student, session_id=self.session.pk, text=text, client_id=client_id)
        assert (again.created, again.reply.pk) == (False, turn.reply.pk)

    @rule()
    def regenerates(self) -> None:
        if self.promised and not Message.objects.running().filter(session=self.session).exists():
            turns.regenerate(user=self.student, session_id=self.session.pk)

    @rule()
    def stops(self) -> None:
        for reply in Message.objects.running().filter(session=self.session):
            waiting = reply.state == "queued"
            shown = history.text_shown(reply)[0]
            assert request_stop(reply)
            reply.refresh_from_db()
            if waiting:
                assert (reply.state, reply.content) == ("stopped", shown)
                assert not request_stop(reply)

    # The processes.

    @rule(target=runners)
    def starts(self) -> UUID:
        runner_id = uuid7()
        leases.enlist(runner_id=runner_id, host="here", pid=1)
        return runner_id

    @rule(target=attempts, runner_id=runners)
    def claims(self, runner_id: UUID) -> Any:
        waiting = Message.objects.filter(session=self.session, state="queued").first()
        if waiting is None:
            return None
        job = replies.claim(reply_id=waiting.pk, runner_id=runner_id, runner_name="here 1")
        assert (job is None) == (not Runner.objects.filter(pk=runner_id).exists())
        return None if job is None else Attempt(runner_id, job)

    @rule(runner_id=runners)
    def loses_the_answer_to_a_claim(self, runner_id: UUID) -> None:
        """However often that happens, the reply is not given up."""
        for waiting in Message.objects.filter(session=self.session, state="queued"):
            if replies.claim(reply_id=waiting.pk, runner_id=runner_id, runner_name="here 1") is not None:
                assert leases.give_back(runner_id=runner_id, reply_ids=[waiting.pk]) == [waiting.pk]

    @rule(attempt=attempts)
    def notes_sources(self, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        held, reply, number = attempt.is_held, attempt.job.reply, attempt.job.attempt
        for _ in range(2):  # the first answer may get lost
            source = Citation(message=reply, marker=1, quote=f"Attempt {number}", document_title="Notes")
            assert held == replies.record_sources(
                reply_id=reply.pk, attempt=number, runner_id=attempt.runner_id, citations=[source], prompt="[]"
            )
        if held:
            self.sources[reply.pk] = source.quote

    @rule(attempt=attempts, text=st.text(min_size=1, max_size=5))
    def gets_text(self, attempt: Attempt | None, text: str) -> None:
        if attempt is not None:
            attempt.text += text.replace("\0", "0")

    @rule(attempt=attempts, twice=st.booleans())
    def flushes(self, attempt: Attempt | None, twice: bool) -> None:
        if attempt is None or attempt.flushed == len(attempt.text):
            return
        held, reply_id, number = attempt.is_held, attempt.job.reply.pk, attempt.job.attempt
        piece = Piece(reply_id, number, "text", attempt.flushed, attempt.text[attempt.flushed :])
        for _ in range(1 + twice):
            flushed = replies.flush(runner_id=attempt.runner_id, running=[reply_id], pieces=[piece])
            assert (reply_id in flushed.held) == held
        if held:
            attempt.flushed = len(attempt.text)
            self.journal[reply_id, number] = attempt.text

    @rule(attempt=consumes(attempts), state=st.sampled_from(["complete", "stopped", "failed"]))
    def finishes(self, attempt: Attempt | None, state: str) -> None:
        if attempt is None:
            return
        held = attempt.is_held
        ending = Ending(attempt.job.reply.pk, attempt.job.attempt, state, content=attempt.text, completion_tokens=7)
        assert replies.finish(runner_id=attempt.runner_id, ending=ending) == held
        assert not replies.finish(runner_id=attempt.runner_id, ending=ending)

    @rule(runner_id=consumes(runners))
    def ends_in_good_order(self, runner_id: UUID) -> None:
        leases.resign(runner_id=runner_id)

    @rule(runner_id=runners)
    def is_taken_over(self, runner_id: UUID) -> None:
        """It died, or froze for long; in the second case its attempts above go on believing."""
        runner = Runner.objects.filter(pk=runner_id).first()
        if runner is not None:
            leases.take_over(runner_id=runner_id, heartbeat_at=runner.heartbeat_at)
            assert not leases.beat(runner_id=runner_id)

    @precondition(lambda self: self.promised)
    @rule()
    def is_looked_after(self) -> None:
        """A survey adopts what streams for nobody."""
        leases.adopt(leases.survey(grace_seconds=0).orphaned)

    # What always holds.

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        assert dict(Message.objects.filter(session=self.session, role="user").values_list("pk", "content")) == (
            self.promised
        )

    @invariant()
    def one_reply_runs_at_most_and_ends_are_final(self) -> None:
        assert Message.objects.running().filter(session=self.session).count() <= 1
        for reply in Message.objects.filter(session=self.session, role="assistant"):
            if reply.pk in self.ends:
                assert (reply.state, reply.content) == self.ends[reply.pk]
            elif reply.state in FINAL:
                self.ends[reply.pk] = (reply.state, reply.content)
                assert not ReplyChunk.objects.filter(reply=reply).exists()

    @invariant()
    def the_journal_has_no_gap_and_no_overlap(self) -> None:
        for reply in Message.objects.running().filter(session=self.session):
            for attempt in range(1, reply.attempt + 1):
                text = ""
                for chunk in ReplyChunk.objects.filter(reply=reply, attempt=attempt).order_by("offset"):
                    assert chunk.offset == len(text)
                    text += chunk.text
                assert text == self.journal.get((reply.pk, attempt), "")

    @invariant()
    def sources_are_those_of_the_last_attempt_that_noted_some(self) -> None:
        noted = Citation.objects.filter(message__session=self.session).values_list("message", "quote")
        assert sorted(noted) == sorted(self.sources.items())

    @invariant()
    def the_quota_is_held_for_what_runs_and_counted_once(self) -> None:
        usage = Usage.objects.filter(user=self.student).first()
        if usage is not None:
            running = Message.objects.running().filter(session=self.session).count()
            ended = Message.objects.filter(session=self.session, role="assistant", state__in=FINAL).count()
            assert usage.reserved_tokens == running * quota.RESERVED_PER_TURN
            assert usage.questions == ended


@override_settings(DAILY_TOKEN_QUOTA=1_000_000_000)
def test_whatever_happens_a_reply_keeps_its_promises() -> None:
    run_state_machine_as_test(
        ReplyLife,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
