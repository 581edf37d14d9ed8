"""DjangoConversationStore keeps what PydanticAI's own in-memory store keeps, in conversations that the site shows."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")

from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_ai import Conversation
from pydantic_ai.conversation_store import ConversationConflict, ConversationStore, InMemoryConversationStore
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import ModelMessagesTypeAdapter
from pydantic_ai.tools import DeferredToolRequests
from pydantic_ai.usage import RunUsage

from chats.integrations.pydantic_ai import (
    DjangoConversationStore,
    create_session,
    load_messages,
    save_messages,
)
from chats.models import ChatSession, Message
from chats.services import history, sessions, turns
from core.database import in_database
from core.errors import Conflict
from tests.integrations.pydantic_cases import MESSAGE, answered, asked, every_part_kind

pytestmark = pytest.mark.django_db(transaction=True)


OPERATION = (
    st.tuples(st.just("say"), st.integers(0, 2), st.lists(MESSAGE, min_size=1, max_size=3))
    | st.tuples(st.just("rewrite"), st.integers(0, 2), MESSAGE)
    | st.tuples(st.just("branch"), st.integers(0, 2), st.integers(0, 3))
    | st.tuples(st.just("back"), st.integers(0, 2), st.just(None))
    | st.tuples(st.just("fork"), st.integers(0, 2), st.integers(0, 3))
    | st.tuples(st.just("delete"), st.integers(0, 2), st.just(None))
    | st.tuples(st.just("window"), st.integers(0, 2), st.integers(0, 3))
    | st.tuples(st.just("stale"), st.integers(0, 2), MESSAGE)
)


async def perform(store: ConversationStore, prefix: str, operation: tuple[str, int, Any]) -> Any:
    """Do one thing to one of three conversations. Returns what can be compared between stores, an error's name too."""
    name, number, value = operation
    conversation_id = f"{prefix}{number}"
    try:
        loaded = await store.load(conversation_id) or Conversation(conversation_id=conversation_id)
        match name:
            case "say":
                loaded.messages.extend(value)
                loaded.usage.incr(RunUsage(requests=1, input_tokens=7))
                return len(await store.save(loaded, scope="s" if number else None))
            case "rewrite":
                rewritten = replace(loaded, messages=[value, *loaded.messages[1:]], new_message_index=None)
                return len(await store.save(rewritten))
            case "branch":
                branched = await store.branch(conversation_id, at=value, expected_revision=loaded.revision)
                return len(branched.messages)
            case "back":
                record = await store.read_record(conversation_id)
                tip = record.branches[0] if record and record.branches else "none"
                branched = await store.branch(conversation_id, from_entry=tip, expected_revision=loaded.revision)
                return len(branched.messages)
            case "fork":
                forked = await store.fork(
                    conversation_id, at=value, new_conversation_id=f"{prefix}{(number + 1) % 3}", scope="f"
                )
                return len(forked.messages)
            case "delete":
                return await store.delete(conversation_id)
            case "window":
                found = await store.load(conversation_id, limit=value)
                return found and found.messages
            case _:
                loaded.messages.append(value)
                return len(await store.save(replace(loaded, revision="stale")))
    except (ConversationConflict, UserError) as error:
        return type(error).__name__


async def view(store: ConversationStore, prefix: str) -> list[Any]:
    seen: list[Any] = []
    for number in range(3):
        record = await store.read_record(f"{prefix}{number}")
        entries = await store.load_entries(f"{prefix}{number}")
        if record is None or entries is None:
            seen.append((record, entries))
            continue
        places = {None: None} | {entry.id: place for place, entry in enumerate(entries)}
        seen.append(
            (
                [entry.message for entry in entries],
                [places[entry.parent_id] for entry in entries],
                places[record.head_id],
                [[entry.message for entry in await store.read_history(tip)] for tip in record.branches],
                (record.usage, record.scope, record.forked_from, places.get(record.forked_at, "elsewhere")),
                (record.deferred_tool_requests, record.format_version),
            )
        )
    return seen


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATION, max_size=10))
def test_any_operations_leave_what_the_in_memory_store_keeps(student: User, operations: list[Any]) -> None:
    async def both() -> None:
        prefix = uuid4().hex
        ours, own = DjangoConversationStore(user=student), InMemoryConversationStore()
        for operation in operations:
            assert await perform(ours, prefix, operation) == await perform(own, prefix, operation)
            assert await view(ours, prefix) == await view(own, prefix)
        mine = [record.conversation_id for record in await ours.list_conversations(limit=3)]
        theirs = [record.conversation_id for record in await own.list_conversations(limit=3)]
        assert [name for name in mine if name.startswith(prefix)] == theirs

    asyncio.run(both())


async def test_every_kind_of_part_survives_a_second_round_trip(student: User) -> None:
    session_id = await create_session(user=student)
    await save_messages(session_id, every_part_kind())
    first = await load_messages(session_id)
    assert first == ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(every_part_kind()))
    again = await create_session(user=student)
    await save_messages(again, first)
    assert await load_messages(again) == first


async def test_all_messages_and_new_messages_are_both_right(student: User) -> None:
    session_id = await create_session(user=student)
    first, second = [asked("one"), answered("1")], [asked("two"), answered("2")]
    await save_messages(session_id, first)
    await save_messages(session_id, [*first, *second])
    await save_messages(session_id, [asked("three")])
    assert await load_messages(session_id) == [*first, *second, asked("three")]
    assert await load_messages(session_id, limit=2) == [second[1], asked("three")]
    await save_messages(session_id, [asked("one")])
    assert len(await load_messages(session_id)) == 6


async def test_half_a_surrogate_pair_is_kept(student: User) -> None:
    session_id = await create_session(user=student)
    await save_messages(session_id, [asked("broken \ud800 text")])
    assert await load_messages(session_id) == [asked("broken \ud800 text")]


async def test_an_external_id_is_taken_once_per_owner(student: User, outsider: User) -> None:
    made = await create_session(user=student, external_id="thread")
    assert await create_session(user=outsider, external_id="thread") != made
    assert await create_session(user="nobody here", external_id="thread") != made
    with pytest.raises(Conflict):
        await create_session(user=student, external_id="thread")
    await save_messages("thread", [asked("hello")], user=student)
    assert await load_messages(made) == [asked("hello")]
    assert await load_messages(made, user=outsider) == []
    assert await load_messages("thread", user="nobody here") == []


async def test_what_the_site_adds_changes_the_revision(student: User) -> None:
    store = DjangoConversationStore(user=student)
    await store.save(Conversation(conversation_id="shared", messages=[asked("one"), answered("1")]))
    before = await store.load("shared")
    assert before is not None
    await in_database(
        turns.append,
        user=student,
        session_id="shared",
        messages=[{"role": "user", "content": "two"}, {"role": "assistant", "content": "2"}],
    )
    before.messages.append(asked("late"))
    with pytest.raises(ConversationConflict):
        await store.save(before)
    now = await store.load("shared")
    assert now is not None
    assert [part.content for message in now.messages for part in message.parts] == ["one", "1", "two", "2"]  # type: ignore[union-attr]
    now.messages.append(asked("three"))
    await store.save(now)

    def shown() -> list[str]:
        found = sessions.find(user=student, session_id="shared")
        return [message.content for message in history.page(session=found).messages]

    assert await in_database(shown) == ["one", "1", "two", "2", "three"]


async def test_a_save_while_the_tutor_answers_and_one_from_before_its_end_are_refused(student: User) -> None:
    store = DjangoConversationStore(user=student)
    await store.save(Conversation(conversation_id="busy", messages=[asked("one"), answered("1")]))
    turn = await in_database(turns.ask, user=student, session_id="busy", text="two")
    loaded = await store.load("busy")
    assert loaded is not None
    loaded.messages.append(asked("three"))
    with pytest.raises(ConversationConflict):
        await store.save(loaded)
    ended = Message.objects.filter(pk=turn.reply.pk)
    await in_database(ended.update, state="complete", content="2")
    with pytest.raises(ConversationConflict):
        await store.save(loaded)


async def test_paused_tool_calls_are_kept(student: User) -> None:
    from pydantic_ai.messages import ToolCallPart

    waiting = DeferredToolRequests(
        approvals=[ToolCallPart("delete", {"path": "a\0b"}, tool_call_id="t")], metadata={"t": {"why": "\0"}}
    )
    store = DjangoConversationStore(user=student)
    await store.save(Conversation(conversation_id="paused", messages=[asked("x")], deferred_tool_requests=waiting))
    found = await store.load("paused")
    assert found is not None
    assert found.deferred_tool_requests == waiting


async def test_a_fork_outlives_what_it_was_forked_from(student: User) -> None:
    store = DjangoConversationStore(user=student)
    await store.save(Conversation(conversation_id="stem", messages=[asked("one"), answered("1")]))
    original = await store.load_entries("stem")
    await store.fork("stem", new_conversation_id="twig")
    await store.delete("stem")
    assert await store.load("stem") is None
    kept = await store.load_entries("twig")
    assert kept == original
    assert await in_database(Message.objects.count) == 2


async def test_somebody_elses_conversation_is_not_there(student: User, outsider: User) -> None:
    theirs, intruder = DjangoConversationStore(user=student), DjangoConversationStore(user=outsider)
    entries = await theirs.save(Conversation(conversation_id="mine", messages=[asked("secret")]))
    pk = await in_database(lambda: str(ChatSession.objects.get(external_id="mine").pk))
    for name in ("mine", pk):
        assert await intruder.load(name) is None
        await intruder.delete(name)
    assert await intruder.list_conversations() == []
    with pytest.raises(LookupError):
        await intruder.read_entry(entries[0].id)
    assert await DjangoConversationStore().load("mine") is None
    assert await theirs.load("mine") is not None


async def test_listing_costs_the_same_for_more_conversations(student: User, django_assert_num_queries: Any) -> None:
    from chats.integrations import pydantic_log

    store = DjangoConversationStore(user=student)

    def listed(expected: int) -> None:
        with django_assert_num_queries(1):
            assert len(pydantic_log.read_records(student, None, 20)) == expected

    for number in range(1, 7):
        await store.save(Conversation(messages=[asked("x"), answered("y")]))
        if number in (2, 6):
            await in_database(listed, number)
