"""A question and its reply are committed together, once, and only in one's own conversation."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from chats.exceptions import MessageTooLong, QuotaExceeded, ReplyRunning
from chats.models import ChatSession, Message, Usage
from chats.representation import message_data, session_data
from chats.services import branches, feedback, history, quota, sessions, turns
from chats.services.stopping import request_stop
from core.errors import Conflict, Invalid, NotFound
from courses.models import Course

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(student: User, course: Course) -> ChatSession:
    return sessions.create(user=student, course_id=course.pk)[0]


def end(turn: turns.Turn, text: str = "An answer.") -> None:
    Message.objects.filter(pk=turn.reply.pk).update(state="complete", content=text)


def shown(session: ChatSession) -> list[str]:
    session.refresh_from_db()
    return [message.content for message in history.page(session=session).messages]


def test_the_same_client_id_is_the_same_turn(student: User, session: ChatSession) -> None:
    first = turns.ask(user=student, session_id=session.pk, text="What is bias?", client_id="c1")
    again = turns.ask(user=student, session_id=session.pk, text="What is bias?", client_id="c1")
    assert (first.created, again.created) == (True, False)
    assert again.reply.pk == first.reply.pk
    assert session.messages.count() == 2


def test_a_second_question_while_a_reply_runs_is_refused_and_leaves_nothing(
    student: User, session: ChatSession
) -> None:
    turns.ask(user=student, session_id=session.pk, text="One?")
    with pytest.raises(ReplyRunning):
        turns.ask(user=student, session_id=session.pk, text="Two?")
    assert session.messages.count() == 2


def test_the_database_itself_allows_one_running_reply_per_session(student: User, session: ChatSession) -> None:
    turns.ask(user=student, session_id=session.pk, text="One?")
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.create(session=session, role="assistant", state="queued")


@pytest.mark.parametrize("text", ["", "   \n", "\u200b \t"[1:]])
def test_an_empty_question_is_refused(student: User, session: ChatSession, text: str) -> None:
    with pytest.raises(Invalid):
        turns.ask(user=student, session_id=session.pk, text=text)


def test_a_question_beyond_the_limit_is_refused_with_the_limit(student: User, session: ChatSession) -> None:
    with pytest.raises(MessageTooLong, match="32,000"):
        turns.ask(user=student, session_id=session.pk, text="x" * 32_001)


def test_what_a_text_column_cannot_hold_is_replaced(student: User, session: ChatSession) -> None:
    turn = turns.ask(user=student, session_id=session.pk, text="a\0b\ud800c")
    turn.user_message.refresh_from_db()
    assert turn.user_message.content == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


def test_others_see_no_session_and_cannot_add_to_it(teammate: User, outsider: User, session: ChatSession) -> None:
    for stranger in (teammate, outsider):
        with pytest.raises(NotFound):
            sessions.find(user=stranger, session_id=session.pk)
        with pytest.raises(NotFound):
            turns.ask(user=stranger, session_id=session.pk, text="Mine?")
        with pytest.raises(NotFound):
            turns.append(user=stranger, session_id=session.pk, messages=[{"role": "user", "content": "x"}])


def test_who_leaves_the_course_loses_its_conversations(student: User, course: Course, session: ChatSession) -> None:
    course.enrolments.filter(user=student).delete()
    with pytest.raises(NotFound):
        sessions.find(user=student, session_id=session.pk)


def test_regenerating_makes_a_sibling_and_shows_it(student: User, session: ChatSession) -> None:
    first = turns.ask(user=student, session_id=session.pk, text="What is bias?")
    end(first, "First answer.")
    second = turns.regenerate(user=student, session_id=session.pk)
    end(second, "Second answer.")
    assert shown(session) == ["What is bias?", "Second answer."]
    reply = history.page(session=session).messages[-1]
    assert message_data(reply)["siblings"] == [str(first.reply.pk), str(second.reply.pk)]
    branches.show(user=student, session_id=session.pk, message_id=first.reply.pk)
    assert shown(session) == ["What is bias?", "First answer."]


def test_editing_a_question_makes_a_branch_and_keeps_the_old_one(student: User, session: ChatSession) -> None:
    first = turns.ask(user=student, session_id=session.pk, text="What is bais?")
    end(first, "Unclear.")
    follow_up = turns.ask(user=student, session_id=session.pk, text="And variance?")
    end(follow_up, "Spread.")
    edited = turns.edit(user=student, message_id=first.user_message.pk, text="What is bias?", client_id="e1")
    end(edited, "A systematic error.")
    assert shown(session) == ["What is bias?", "A systematic error."]
    branches.show(user=student, session_id=session.pk, message_id=first.user_message.pk)
    assert shown(session) == ["What is bais?", "Unclear.", "And variance?", "Spread."]


def test_removing_a_message_takes_what_follows_from_view(student: User, session: ChatSession) -> None:
    first = turns.ask(user=student, session_id=session.pk, text="One?")
    end(first)
    second = turns.ask(user=student, session_id=session.pk, text="Two?")
    end(second)
    branches.remove(user=student, message_id=second.user_message.pk)
    assert shown(session) == ["One?", "An answer."]
    with pytest.raises(NotFound):
        branches.remove(user=student, message_id=second.reply.pk)


def test_appending_and_replacing_ask_no_model(student: User, session: ChatSession) -> None:
    batch = [
        {"role": "user", "content": "Hi"},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "Ho"},
    ]
    _, added = turns.append(user=student, session_id=session.pk, messages=batch, client_id="b1")
    _, again = turns.append(user=student, session_id=session.pk, messages=batch, client_id="b1")
    assert [m.pk for m in again] == [m.pk for m in added]
    assert shown(session) == ["Hi", "Ho"]
    assert session_data(sessions.find(user=student, session_id=session.pk))["message_count"] == 2
    turns.replace(user=student, session_id=session.pk, messages=[{"role": "user", "content": "Anew"}])
    assert shown(session) == ["Anew"]


def test_history_comes_in_pages_with_a_constant_number_of_queries(
    student: User, session: ChatSession, django_assert_num_queries: Any
) -> None:
    turns.append(
        user=student,
        session_id=session.pk,
        messages=[{"role": ("user", "assistant")[n % 2], "content": str(n)} for n in range(120)],
    )
    session.refresh_from_db()
    with django_assert_num_queries(4):
        newest = history.page(session=session, limit=50)
    assert [m.content for m in newest.messages] == [str(n) for n in range(70, 120)]
    assert newest.has_more
    with django_assert_num_queries(5):
        older = history.page(session=session, limit=100, before=newest.messages[0].pk)
    assert [m.content for m in older.messages] == [str(n) for n in range(70)]
    assert not older.has_more


def test_a_session_is_made_once_per_client_id_and_found_by_external_id(student: User, outsider: User) -> None:
    made, created = sessions.create(user=student, client_id="s1", external_id="chat-7")
    again, created_again = sessions.create(user=student, client_id="s1")
    assert (made.pk, created, created_again) == (again.pk, True, False)
    assert sessions.find(user=student, session_id="chat-7").pk == made.pk
    with pytest.raises(Conflict):
        sessions.create(user=student, external_id="chat-7")
    sessions.create(user=outsider, external_id="chat-7")  # another's names are their own


def test_an_update_against_an_old_version_is_refused(student: User, session: ChatSession) -> None:
    seen = sessions.version(session)
    sessions.update(user=student, session_id=session.pk, title="Mine", expected_version=seen)
    with pytest.raises(Conflict):
        sessions.update(user=student, session_id=session.pk, title="Theirs", expected_version=seen)


def test_a_deleted_session_is_gone_until_restored_and_its_reply_stops(student: User, session: ChatSession) -> None:
    turn = turns.ask(user=student, session_id=session.pk, text="One?")
    sessions.delete(user=student, session_id=session.pk)
    with pytest.raises(NotFound):
        sessions.find(user=student, session_id=session.pk)
    turn.reply.refresh_from_db()
    assert turn.reply.state == "stopped"
    assert sessions.restore(user=student, session_id=session.pk).is_active
    sessions.delete(user=student, session_id=session.pk, permanent=True)
    assert not ChatSession.objects.filter(pk=session.pk).exists()
    assert not Message.objects.filter(session_id=session.pk).exists()


def test_feedback_is_given_changed_and_taken_back(student: User, outsider: User, session: ChatSession) -> None:
    turn = turns.ask(user=student, session_id=session.pk, text="One?")
    end(turn)
    rated = feedback.rate(user=student, message_id=turn.reply.pk, rating=-1, comment="Wrong page")
    assert message_data(rated)["feedback"] == {"rating": -1, "comment": "Wrong page"}
    assert message_data(feedback.rate(user=student, message_id=turn.reply.pk, rating=0))["feedback"] is None
    with pytest.raises(NotFound):
        feedback.rate(user=outsider, message_id=turn.reply.pk, rating=1)


def test_a_spent_quota_refuses_the_next_turn_and_a_course_counts_for_itself(
    student: User, course: Course, session: ChatSession, settings: Any
) -> None:
    settings.DAILY_TOKEN_QUOTA = 1000
    turn = turns.ask(user=student, session_id=session.pk, text="One?")
    assert turn.reply.reserved_tokens > 0
    end(turn)
    quota.settle(reply=turn.reply, user_id=student.pk, course_id=course.pk, prompt_tokens=900, completion_tokens=200)
    row = Usage.objects.get(user=student)
    assert (row.questions, row.prompt_tokens, row.completion_tokens, row.reserved_tokens) == (1, 900, 200, 0)
    with pytest.raises(QuotaExceeded) as refused:
        turns.ask(user=student, session_id=session.pk, text="Two?")
    assert 0 < refused.value.retry_after <= 86400
    assert session.messages.count() == 2
    course.daily_token_quota = 5000
    course.save()
    assert turns.ask(user=student, session_id=session.pk, text="Two?").created


def test_stopping_a_reply_nobody_runs_yet_ends_it(student: User, session: ChatSession) -> None:
    turn = turns.ask(user=student, session_id=session.pk, text="One?")
    assert request_stop(turn.reply)
    assert not request_stop(turn.reply)
    turn.reply.refresh_from_db()
    assert turn.reply.state == "stopped"
