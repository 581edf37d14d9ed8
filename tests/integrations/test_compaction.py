"""What compaction of the Agents SDK puts in place of a history that a DjangoSession keeps."""

from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents.memory import OpenAIResponsesCompactionSession
from django.contrib.auth.models import User

from chats.integrations.openai_agents import DjangoSession
from chats.models import Message
from core.database import in_database

pytestmark = pytest.mark.django_db(transaction=True)

GIST = {"type": "compaction", "id": "cmp", "encrypted_content": "the gist"}


def said(*texts: str) -> list[Any]:
    return [{"role": "user", "content": text} for text in texts]


def is_old(item: Any) -> bool:
    return str(item["content"]).startswith("old")


class Client:
    """As much of an OpenAI client as compaction uses."""

    def __init__(self) -> None:
        self.responses = self

    async def compact(self, **request: Any) -> Any:
        return type("Compacted", (), {"output": [GIST], "usage": None})()


@pytest.mark.parametrize(
    ("beginning", "rest"),
    [
        (["old 1", "old 2"], []),
        (["old 1", "old 2", "kept", "old 3"], ["kept", "old 3"]),
        (["kept", "old 1"], ["kept", "old 1"]),
        ([], []),
    ],
)
async def test_an_expired_beginning_leaves_with_what_is_replaced(
    student: User, beginning: list[str], rest: list[str]
) -> None:
    session = DjangoSession("expiring", user=student)
    await session.add_items(said(*beginning, "new 1", "new 2"))
    snapshot = await session._get_compaction_snapshot(2, prune_prefix=is_old)
    assert await snapshot.replace_suffix(0, [GIST])
    assert await session.get_items() == [*said(*rest), GIST]
    await session.add_items(said("next"))
    assert await session.get_items() == [*said(*rest), GIST, *said("next")]
    stays = await in_database(Message.objects.filter(content__startswith="old", deleted_at=None).count)
    assert stays >= sum(text.startswith("old") for text in beginning)
    ordinal = await in_database(Message.objects.values_list("ordinal", flat=True).get, content="next")
    assert ordinal == len(rest) + 1


async def test_a_beginning_is_kept_when_what_follows_it_has_changed(student: User) -> None:
    session = DjangoSession("expiring", user=student)
    await session.add_items(said("old", "new"))
    snapshot = await session._get_compaction_snapshot(1, prune_prefix=is_old)
    await session.add_items(said("newer"))
    assert not await snapshot.replace_suffix(0, [GIST])
    assert await session.get_items() == said("old", "new", "newer")


async def test_a_subclass_sees_all_that_compaction_adds(student: User) -> None:
    class Counting(DjangoSession):
        added = 0

        async def add_items(self, items: list[Any], **kwargs: Any) -> None:
            self.added += len(items)
            await super().add_items(items)

    class Named(DjangoSession):
        title = "Nothing that compaction would go behind"

    for kind, counted in ((Counting, True), (Named, False)):
        under = kind(kind.__name__, user=student)
        await under.add_items(said("one", "two"))
        await OpenAIResponsesCompactionSession(
            under.session_id, under, client=Client(), compaction_mode="input"
        ).run_compaction({"force": True})
        assert await under.get_items() == [GIST]
        assert await under._atomic_replace_items(said("three")) is not counted
        assert getattr(under, "added", 3) == 3
