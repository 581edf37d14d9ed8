"""Queries that are put together once give what the ORM would, whatever stands in the place of their marks."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from chats.models import ChatSession, Message
from core import statements
from core.statements import Prepared
from courses.models import Course

pytestmark = pytest.mark.django_db


@pytest.fixture
def chats(student: User, course: Course) -> list[ChatSession]:
    return [ChatSession.objects.create(user=student, course=course, title=title) for title in ("One", "Two")]


def test_rows_are_models_with_what_was_joined_and_annotated(student: User, chats: list[ChatSession]) -> None:
    named = Prepared(
        lambda user_id, title: (
            ChatSession.objects.filter(user_id=user_id, title=title)
            .select_related("course")
            .annotate(called=F("title"))
        ),
        int,
        str,
    )
    for chat in chats:
        with CaptureQueriesContext(connection) as queries:
            [found] = named.rows(student.pk, chat.title)
            assert (found, found.course, found.called) == (chat, chat.course, chat.title)
        assert len(queries) == 1
        assert found.created_at == chat.created_at
        assert found.metadata == {}
    assert named.first(student.pk, "Three") is None
    assert named.first(None, "One") is None


def test_a_row_that_is_not_joined_is_none(student: User) -> None:
    chat = ChatSession.objects.create(user=student)
    alone = Prepared(lambda chat_id: ChatSession.objects.filter(pk=chat_id).select_related("course", "head"), UUID)
    found = alone.first(chat.pk)
    assert found is not None
    assert (found.course, found.head) == (None, None)


def test_what_is_deferred_is_read_when_it_is_asked_for(chats: list[ChatSession]) -> None:
    brief = Prepared(lambda chat_id: ChatSession.objects.filter(pk=chat_id).defer("title"), UUID)
    found = brief.first(chats[1].pk)
    assert found is not None
    assert "title" in found.get_deferred_fields()
    assert found.title == "Two"


def test_values_come_as_the_orm_gives_them(chats: list[ChatSession]) -> None:
    values = Prepared(
        lambda user_id: ChatSession.objects.filter(user_id=user_id).order_by("title").values_list("pk", "created_at"),
        int,
    )
    assert values.rows(chats[0].user_id) == [(chat.pk, chat.created_at) for chat in chats]


def changed(session_id: UUID, **values: Any) -> int:
    update, parameters = statements.updating(ChatSession, "id = %s", [statements.key(session_id)], **values)
    [rows] = statements.fetch_each((f"{update} RETURNING id", parameters))
    return len(rows)


def test_a_change_is_of_the_named_fields_where_the_condition_holds(chats: list[ChatSession]) -> None:
    one, two = chats
    said = Message.objects.create(session=one, role="user", content="Hello?")
    assert changed(one.pk, head_id=said.pk, metadata={"a": [1]}, title="“Uno”") == 1
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.head, one.metadata, one.title, two.title) == (said, {"a": [1]}, "“Uno”", "Two")
    assert changed(uuid4(), title="Nobody's") == 0


def test_several_questions_are_answered_in_their_order(chats: list[ChatSession]) -> None:
    titled = "SELECT title FROM chats_chatsession WHERE title = %s"
    asked = [(titled, [title]) for title in ("Two", "Nobody's", "One")]
    assert statements.fetch_each(*asked) == [[("Two",)], [], [("One",)]]


def test_what_is_sent_together_is_done_in_its_order(chats: list[ChatSession]) -> None:
    one = statements.key(chats[0].pk)
    with statements.together():
        statements.insert([Message(session=chats[0], role="user", content="Hello?")])
        statements.put(ChatSession, "id = %s", [one], title="First", metadata={"a": None})
        statements.put(ChatSession, "id = %s AND title = 'First'", [one], title="Second")
    chats[0].refresh_from_db()
    assert (chats[0].title, chats[0].metadata, chats[0].messages.count()) == ("Second", {"a": None}, 1)


def test_a_mistake_in_what_is_sent_together_undoes_all_of_it(student: User, chats: list[ChatSession]) -> None:
    with pytest.raises(IntegrityError):
        _rename_around_twins(student, chats[0])
    assert set(ChatSession.objects.values_list("title", flat=True)) == {"One", "Two"}
    assert not Message.objects.exists()


def _rename_around_twins(student: User, chat: ChatSession) -> None:
    twins = [Message(session=chat, role="user", content="Again", client_id="1") for _ in range(2)]
    with transaction.atomic(), statements.together():
        statements.put(ChatSession, "user_id = %s", [student.pk], title="Changed")
        statements.insert(twins)
        statements.put(ChatSession, "user_id = %s", [student.pk], title="Changed again")


@pytest.mark.parametrize("count", [0, 1, statements.FEW + 1])
def test_new_rows_are_stored_however_many(chats: list[ChatSession], count: int) -> None:
    rows = [Message(session=chats[0], role="user", content=str(number)) for number in range(count)]
    statements.insert(rows)
    assert list(Message.objects.order_by("id")) == rows
    assert not any(row._state.adding for row in rows)
