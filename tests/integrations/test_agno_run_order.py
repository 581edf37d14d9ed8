"""Where Agno's runs stand in their session, and which of them count, whatever a caller says of them."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("agno", reason="agno is not installed")

from agno.run.base import RunStatus
from django.contrib.auth.models import User

from chats.integrations.agno import AsyncDjangoDb, DjangoDb
from tests.integrations.agno_cases import kept, new_session, said, shown

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def db(student: User) -> DjangoDb:
    made = DjangoDb()
    made.upsert_session(new_session("s", "student"))
    return made


def places(db: DjangoDb) -> list[tuple[str, int]]:
    rows, _ = db.get_runs(session_id="s", deserialize=False)
    return [(row["run_id"], row["run_index"]) for row in rows]


def test_a_new_run_stands_behind_those_that_outlived_others(db: DjangoDb, student: User) -> None:
    for number in range(3):
        db.upsert_run(said(f"r{number}", f"q{number}", f"a{number}"), "s", "student", number)
    db.delete_runs(["r0", "r1"])
    db.upsert_run(said("r3", "q3", "a3"), "s", "student", 1)
    assert places(db) == [("r2", 2), ("r3", 3)]
    assert kept(db, "s", student) == [("user", "q2"), ("assistant", "a2"), ("user", "q3"), ("assistant", "a3")]
    db.upsert_run(said("r9", "q9", "a9"), "s", "student", 9)
    db.upsert_run(said("r2", "q2", "changed"), "s", "student", 12)
    assert places(db) == [("r2", 2), ("r3", 3), ("r9", 9)]


def test_a_status_counts_however_it_is_spelled(db: DjangoDb) -> None:
    for run_id, status in (("a", "cancelled"), ("b", "completed"), ("c", RunStatus.error), ("d", "of its own")):
        db.upsert_run({"run_id": run_id, "agent_id": "tutor", "content": run_id, "status": status}, "s", "student")
    statuses = [db.get_run(run_id, deserialize=False)["status"] for run_id in "abcd"]
    assert statuses == ["CANCELLED", "COMPLETED", "ERROR", "of its own"]
    assert [run.run_id for run in db.get_runs(status=RunStatus.cancelled)] == ["a"]
    assert [run["run_id"] for run in db.get_session("s", deserialize=False, runs_limit=5)["runs"]] == ["b", "d"]


def test_two_writers_of_longer_runs_never_mix_their_messages(db: DjangoDb, student: User) -> None:
    async def writer(name: str) -> None:
        own = AsyncDjangoDb()
        for number in range(6):
            run_id = f"{name}{number}"
            for answer in ("at work", f"answer {run_id}"):
                await own.upsert_run(said(run_id, f"question {run_id}", answer), "s", "student")

    async def both() -> None:
        await asyncio.gather(writer("x"), writer("y"))

    asyncio.run(both())
    texts = [text for _, text in shown(student, "s")]
    assert sorted(texts[::2]) == sorted(f"question {name}{number}" for name in "xy" for number in range(6))
    assert [text.replace("question", "answer") for text in texts[::2]] == texts[1::2]
    assert len(places(db)) == 12


@pytest.mark.parametrize("page", [2, 0])
@pytest.mark.parametrize(
    "listing",
    [
        "get_sessions",
        "get_runs",
        "get_user_memories",
        "get_user_memory_stats",
        "get_knowledge_contents",
        "get_eval_runs",
    ],
)
def test_a_page_that_means_nothing_is_refused(db: DjangoDb, listing: str, page: Any) -> None:
    with pytest.raises(ValueError, match="page"):
        getattr(db, listing)(page=page, limit=None if page else 5)
