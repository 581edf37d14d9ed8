"""Two programs that save one conversation through PydanticAI at once: nothing is lost, mixed or overwritten."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")

from django.contrib.auth.models import User
from pydantic_ai import Conversation
from pydantic_ai.conversation_store import ConversationConflict

from chats.integrations.pydantic_ai import DjangoConversationStore, create_session, load_messages, save_messages
from tests.integrations.pydantic_cases import answered, asked

pytestmark = pytest.mark.django_db(transaction=True)


async def test_of_two_savers_one_is_told_to_load_again(student: User) -> None:
    store = DjangoConversationStore(user=student)
    await store.save(Conversation(conversation_id="race", messages=[asked("start")]))
    loaded = [await store.load("race") for _ in range(5)]

    async def save(number: int, conversation: Any) -> bool:
        conversation.messages.append(answered(str(number)))
        try:
            await store.save(conversation)
        except ConversationConflict:
            return False
        return True

    saved = await asyncio.gather(*[save(number, one) for number, one in enumerate(loaded)])
    assert sum(saved) == 1
    found = await store.load("race")
    assert found is not None
    assert found.messages == [asked("start"), answered(str(saved.index(True)))]


async def test_two_savers_of_messages_neither_lose_nor_interleave_a_batch(student: User) -> None:
    session_id = await create_session(user=student)

    async def writer(name: str) -> None:
        for number in range(5):
            turn = [
                asked(f"{name}{number} asked"),
                answered(f"{name}{number} called"),
                answered(f"{name}{number} said"),
            ]
            await save_messages(session_id, turn)

    await asyncio.gather(writer("x"), writer("y"))
    texts = [str(message.parts[0].content) for message in await load_messages(session_id)]
    batches = [texts[start : start + 3] for start in range(0, len(texts), 3)]
    expected = [
        [f"{name}{number} {what}" for what in ("asked", "called", "said")] for name in "xy" for number in range(5)
    ]
    assert sorted(batches) == sorted(expected)
    for name in "xy":
        mine = [batch for batch in batches if batch[0].startswith(name)]
        assert mine == sorted(mine)


async def test_two_writers_of_conversations_keep_all_that_they_save(student: User) -> None:
    async def writer(name: str) -> None:
        store = DjangoConversationStore(user=student)
        for number in range(4):
            saved = False
            while not saved:
                conversation = await store.load("both") or Conversation(conversation_id="both")
                conversation.messages += [asked(f"{name}{number}"), answered(f"{name}{number}")]
                try:
                    await store.save(conversation)
                    saved = True
                except ConversationConflict:
                    await asyncio.sleep(0)

    await asyncio.gather(writer("x"), writer("y"))
    found = await DjangoConversationStore(user=student).load("both")
    assert found is not None
    texts = [str(message.parts[0].content) for message in found.messages]
    assert texts[::2] == texts[1::2]
    assert sorted(texts[::2]) == [f"{name}{number}" for name in "xy" for number in range(4)]


async def test_a_record_known_from_before_is_not_taken_for_the_present_one(student: User) -> None:
    mine, theirs = DjangoConversationStore(user=student), DjangoConversationStore(user=student)
    conversation = Conversation(conversation_id="known", messages=[asked("one")])
    await mine.save(conversation)
    other = await theirs.load("known")
    assert other is not None
    other.messages.append(answered("theirs"))
    await theirs.save(other)
    conversation.messages.append(answered("mine"))
    with pytest.raises(ConversationConflict):
        await mine.save(conversation)
    loaded = await mine.load("known")
    assert loaded is not None
    assert loaded.messages == [asked("one"), answered("theirs")]
    await theirs.delete("known")
    with pytest.raises(ConversationConflict):
        await mine.save(loaded)
    assert await theirs.load("known") is None


async def test_a_subclass_is_asked_for_what_it_reads_and_writes(student: User) -> None:
    class Noting(DjangoConversationStore):
        def __init__(self) -> None:
            super().__init__(user=student)
            self.asked: list[str] = []

        async def read_record(self, conversation_id: str) -> Any:
            self.asked.append("record")
            return await super().read_record(conversation_id)

        async def read_history(self, head_id: str | None, *, limit: int | None = None) -> Any:
            self.asked.append("history")
            return await super().read_history(head_id, limit=limit)

    store = Noting()
    await store.save(Conversation(conversation_id="noted", messages=[asked("one")]))
    loaded = await store.load("noted")
    assert loaded is not None
    loaded.messages.append(answered("two"))
    await store.save(loaded)
    assert store.asked == ["record", "record", "history", "record"]
