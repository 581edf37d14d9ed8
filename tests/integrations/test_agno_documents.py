"""What Agno keeps beside sessions: memories and learnings, which go with their account; traces are not kept."""

from typing import Any

import pytest

pytest.importorskip("agno", reason="agno is not installed")

from agno.db.schemas import UserMemory
from django.contrib.auth.models import User

from chats.integrations.agno import AsyncDjangoDb, DjangoDb
from chats.models import AgentDocument

pytestmark = pytest.mark.django_db(transaction=True)


def test_memories_are_kept_per_person_and_go_with_the_account(student: User) -> None:
    db = DjangoDb()
    db.upsert_user_memory(UserMemory(memory="likes \0 trees", memory_id="m1", user_id="student", topics=["trees"]))
    db.upsert_user_memory(UserMemory(memory="likes rain", memory_id="m2", user_id="ann", topics=["rain"]))
    assert [memory.memory for memory in db.get_user_memories(user_id="student")] == ["likes \0 trees"]
    assert db.get_all_memory_topics("ann") == ["rain"]
    assert db.get_user_memory("m1", user_id="ann") is None
    db.delete_user_memory("m1", user_id="ann")
    student.delete()
    assert [document.key for document in AgentDocument.objects.filter(kind="memory")] == ["m2"]


def test_learnings_are_found_by_what_they_are_about_and_go_with_the_account(student: User) -> None:
    db = DjangoDb()
    about = {"namespace": "user", "agent_id": "tutor"}
    db.upsert_learning("a", "user_profile", {"name": "Sarah Chen", "rate": "100%"}, user_id="student", **about)
    db.upsert_learning("b", "entity", {"name": "café"}, user_id="student", entity_id="cafe")
    db.upsert_learning("c", "entity", {"name": "everybody's"}, namespace="global")
    db.upsert_learning("a", "user_profile", {"name": "Sarah Chen", "year": 2}, metadata={"seen": 2}, user_id="bob")
    profile = db.get_learning("user_profile", user_id="student")
    assert profile == {"content": {"name": "Sarah Chen", "year": 2}}
    assert db.get_learning("user_profile", user_id="bob") is None
    kept = db.get_learning_by_id("a")
    assert kept is not None
    assert (kept["user_id"], kept["namespace"], kept["metadata"]) == ("student", "user", {"seen": 2})
    assert {one["learning_id"] for one in db.get_learnings(user_id="student")} == {"a", "b"}
    assert [one["learning_id"] for one in db.get_learnings(learning_type="entity", entity_id="cafe")] == ["b"]
    assert [one["learning_id"] for one in db.search_learnings("sarah_chen")] == ["a"]
    assert [one["learning_id"] for one in db.search_learnings("CAFÉ")] == ["b"]
    assert db.search_learnings("%") == []
    listed, total = db.list_learnings(user_id="student", include_global=True, limit=2, sort_by="learning_id")
    assert ([one["learning_id"] for one in listed], total) == (["c", "b"], 3)
    assert db.get_learnings_user_stats()[1] == 1
    assert db.update_learning("b", {"name": "tea room"})
    assert not db.update_learning("z", {})
    assert db.delete_learning("b")
    assert not db.delete_learning("b")
    student.delete()
    assert [one["learning_id"] for one in db.get_learnings()] == ["c"]
    db.upsert_learning("d", "entity", {}, user_id="ann")
    assert db.delete_user_learnings("ann", learning_type="profile") == 0
    assert db.delete_user_learnings("ann") == 1


def test_a_trace_is_refused_with_the_reason_and_none_are_there() -> None:
    db = DjangoDb()
    for refused in (db.upsert_trace, db.create_span, db.create_spans):
        with pytest.raises(NotImplementedError, match=r"no traces.*a database of its own"):
            refused(object())
    assert (db.get_trace(trace_id="x"), db.get_span("x"), db.get_spans()) == (None, None, [])
    assert db.get_traces() == db.get_trace_stats() == ([], 0)


async def test_the_async_database_has_all_of_it(student: User) -> None:
    db: Any = AsyncDjangoDb()
    await db.upsert_learning("a", "user_profile", {"name": "Ann"}, user_id="student")
    assert await db.get_learning("user_profile", user_id="student") == {"content": {"name": "Ann"}}
    assert await db.get_traces() == ([], 0)
