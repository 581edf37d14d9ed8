"""DjangoSession keeps what the SDK's own SQLiteSession keeps, in conversations that the site shows."""

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents.memory import SessionSettings, SQLiteSession
from agents.run_internal.items import fingerprint_input_item
from agents.run_internal.session_persistence import rewind_session_items
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chats.exceptions import ReplyRunning
from chats.integrations.openai_agents import DjangoSession
from chats.models import ChatSession, Message
from chats.services import history, sessions, turns
from core.database import in_database

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = st.text(max_size=30) | st.sampled_from(["a\0b", "\ud800", "ünïcode 🎓", ""])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "developer"]), "content": TEXT | st.lists(VALUE)},
    optional={"type": st.just("message"), "id": TEXT},
)
CALL = st.fixed_dictionaries({"type": st.just("function_call"), "name": TEXT, "arguments": TEXT, "call_id": TEXT})
RESULT = st.fixed_dictionaries({"type": st.just("function_call_output"), "call_id": TEXT, "output": VALUE})
OTHER = st.dictionaries(TEXT, VALUE, max_size=4)
ITEM = MESSAGE | CALL | RESULT | OTHER
OPERATION = (
    st.tuples(st.just("add"), st.lists(ITEM, max_size=4))
    | st.tuples(st.just("get"), st.none() | st.integers(-1, 6))
    | st.tuples(st.just("pop"), st.none())
    | st.tuples(st.just("clear"), st.none())
)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answer(text: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }


async def perform(session: Any, operation: str, value: Any) -> Any:
    match operation:
        case "add":
            return await session.add_items(value)
        case "get":
            return await session.get_items(value)
        case "pop":
            return await session.pop_item()
        case _:
            return await session.clear_session()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATION, max_size=12))
def test_any_operations_leave_what_the_sdks_own_session_leaves(student: User, operations: list[Any]) -> None:
    async def both() -> None:
        ours = DjangoSession(f"property {hash(json.dumps(operations))}", user=student)
        await ours.clear_session()
        own = SQLiteSession("property")
        for operation, value in [*operations, ("get", None)]:
            expected = await perform(own, operation, value)
            got = await perform(ours, operation, value)
            assert got == expected
            if operation == "get":
                assert [fingerprint_input_item(i) for i in got] == [fingerprint_input_item(i) for i in expected]
                assert [list(i) for i in got] == [list(i) for i in expected]
        own.close()

    asyncio.run(both())


async def test_the_limit_of_the_settings_holds_unless_another_is_given(student: User) -> None:
    session = DjangoSession("limits", user=student, session_settings=SessionSettings(limit=2))
    await session.add_items([user(str(number)) for number in range(5)])
    assert await session.get_items() == [user("3"), user("4")]
    assert await session.get_items(limit=3) == [user("2"), user("3"), user("4")]
    assert await session.get_items(limit=0) == []


async def test_a_batch_with_an_item_that_is_no_json_leaves_nothing(student: User) -> None:
    session = DjangoSession("whole", user=student)
    with pytest.raises(TypeError):
        await session.add_items([user("one"), {"role": "user", "content": object()}])  # type: ignore[list-item]
    assert await session.get_items() == []


async def test_concurrent_batches_are_neither_lost_nor_interleaved(student: User) -> None:
    async def writer(number: int) -> None:
        session = DjangoSession("busy", user=student)
        for batch in range(5):
            await session.add_items([user(f"{number} {batch} {place}") for place in range(4)])

    await asyncio.gather(*[writer(number) for number in range(6)])
    texts = [item["content"] for item in await DjangoSession("busy", user=student).get_items()]
    assert len(texts) == len(set(texts)) == 6 * 5 * 4
    for start in range(0, len(texts), 4):
        number, batch, _ = texts[start].split()
        assert texts[start : start + 4] == [f"{number} {batch} {place}" for place in range(4)]


async def test_concurrent_pops_never_return_an_item_twice(student: User) -> None:
    session = DjangoSession("pops", user=student)
    await session.add_items([user(str(number)) for number in range(12)])
    popped = await asyncio.gather(*[DjangoSession("pops", user=student).pop_item() for _ in range(15)])
    texts = [item["content"] for item in popped if item is not None]
    assert sorted(map(int, texts)) == list(range(12))
    assert await session.get_items() == []


async def test_a_turn_that_is_tried_again_is_first_taken_back_off_the_end(student: User) -> None:
    session = DjangoSession("retried", user=student)
    before = [user("one"), answer("1"), user("same")]
    turn = [user("same"), {"type": "function_call", "name": "add", "arguments": "{}", "call_id": "c"}]
    await session.add_items([*before, *turn])
    await rewind_session_items(session, turn)
    assert await session.get_items() == before
    await rewind_session_items(session, [user("never said")])
    assert await session.get_items() == before
    found = await in_database(ChatSession.objects.get, external_id="retried")
    assert await in_database(Message.objects.filter(session=found).count) == 3


async def test_a_cancelled_caller_leaves_a_whole_batch(student: User) -> None:
    session = DjangoSession("cancelled", user=student)
    task = asyncio.create_task(session.add_items([user("one"), user("two")]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await session.get_items() == [user("one"), user("two")]


async def test_the_site_shows_the_turns_and_folds_the_rest(student: User) -> None:
    call = {"type": "function_call", "name": "add", "arguments": '{"a": 1}', "call_id": "c"}
    result = {"type": "function_call_output", "call_id": "c", "output": "2"}
    await DjangoSession("shown", user=student).add_items([user("Add 1 and 1"), call, result, answer("It is 2.")])

    def look() -> tuple[list[tuple[str, str]], list[tuple[str, str]], str, int]:
        found = sessions.find(user=student, session_id="shown")
        spoken = history.page(session=found).messages
        everything = history.page(session=found, roles=["user", "assistant", "tool"]).messages
        return (
            [(message.role, message.content) for message in spoken],
            [(message.role, message.content) for message in everything],
            found.title,
            found.head.ordinal,
        )

    spoken, everything, title, count = await in_database(look)
    assert spoken == [("user", "Add 1 and 1"), ("assistant", "It is 2.")]
    assert everything == [spoken[0], ("tool", 'add({"a": 1})'), ("tool", "2"), spoken[1]]
    assert (title, count) == ("Add 1 and 1", 2)


async def test_turns_made_on_the_site_are_items_and_popping_them_keeps_them(student: User) -> None:
    def make() -> ChatSession:
        made, _ = sessions.create(user=student)
        turns.append(
            user=student,
            session_id=made.pk,
            messages=[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}],
        )
        return made

    made = await in_database(make)
    session = DjangoSession(str(made.pk), user=student)
    assert await session.get_items() == [user("Hello"), {"role": "assistant", "content": "Hi"}]
    assert await session.pop_item() == {"role": "assistant", "content": "Hi"}
    await session.add_items([answer("Good day")])
    assert await session.get_items() == [user("Hello"), answer("Good day")]
    assert await in_database(made.messages.count) == 3


async def test_somebody_elses_session_is_not_there(student: User, outsider: User) -> None:
    theirs = DjangoSession("mine", user=student)
    await theirs.add_items([user("secret")])
    pk = await in_database(lambda: str(ChatSession.objects.get(external_id="mine").pk))
    for name in ("mine", pk):
        intruder = DjangoSession(name, user=outsider)
        assert await intruder.get_items() == []
        assert await intruder.pop_item() is None
        await intruder.clear_session()
        await intruder.add_items([user("other")])
        assert await intruder.get_items() == [user("other")]
    assert await theirs.get_items() == [user("secret")]


async def test_users_without_an_account_are_kept_apart(student: User) -> None:
    await DjangoSession("same", user="alice@elsewhere").add_items([user("alice")])
    await DjangoSession("same", user="bob@elsewhere").add_items([user("bob")])
    await DjangoSession("same", user=student.username).add_items([user("student")])
    assert await DjangoSession("same", user="alice@elsewhere").get_items() == [user("alice")]
    assert await DjangoSession("same", user="bob@elsewhere").get_items() == [user("bob")]
    assert await DjangoSession("same", user=student.pk).get_items() == [user("student")]

    def owners() -> list[tuple[str, str, bool]]:
        rows = ChatSession.objects.filter(external_id="same").order_by("pk")
        return [(row.user.username, row.external_user_id, row.user.is_active) for row in rows]

    assert await in_database(owners) == [
        ("integrations", "alice@elsewhere", False),
        ("integrations", "bob@elsewhere", False),
        ("student", "", True),
    ]


async def test_a_conversation_deleted_on_the_site_starts_anew(student: User) -> None:
    session = DjangoSession("again", user=student)
    await session.add_items([user("old")])
    await in_database(sessions.delete, user=student, session_id="again")
    assert await session.get_items() == []
    await session.add_items([user("new")])
    assert await session.get_items() == [user("new")]


async def test_nothing_is_changed_while_the_tutor_answers(student: User) -> None:
    session = DjangoSession("running", user=student)
    await session.add_items([user("Hello"), answer("Hi")])
    await in_database(turns.ask, user=student, session_id="running", text="What is bias?")
    for attempt in (session.add_items([user("x")]), session.pop_item(), session.clear_session()):
        with pytest.raises(ReplyRunning):
            await attempt
    assert await session.get_items() == [user("Hello"), answer("Hi"), user("What is bias?")]


def test_it_works_without_a_running_loop_too(student: User) -> None:
    session = DjangoSession("script", user=student)
    asyncio.run(session.add_items([user("one")]))
    assert asyncio.run(session.get_items()) == [user("one")]
    assert Message.objects.get().role == "user"
