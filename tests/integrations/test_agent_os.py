"""AgentOS, Agno's web service, serves sessions, memories and figures from this site's database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

pytest.importorskip("agno", reason="agno is not installed")
pytest.importorskip("fastapi", reason="fastapi is not installed")

from agno.agent import Agent
from agno.os import AgentOS
from django.contrib.auth.models import User

from chats.integrations.agno import AsyncDjangoDb, DjangoDb
from chats.models import ChatSession
from core.database import in_database
from tests.integrations.agno_cases import Echo

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # AgentOS's own, from what it is built on
]
MINE = {"type": "agent", "user_id": "student"}


@asynccontextmanager
async def service(db: Any) -> AsyncIterator[httpx.AsyncClient]:
    agent = Agent(
        id="tutor", model=Echo(id="echo"), db=db, telemetry=False, add_history_to_context=True, num_history_runs=3
    )
    app = AgentOS(agents=[agent], db=db, telemetry=False).get_app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://agents") as client:
        yield client


async def ask(client: httpx.AsyncClient, *questions: str) -> None:
    for question in questions:
        body = {"message": question, "stream": "false", "session_id": "os", "user_id": "student"}
        answer = await client.post("/agents/tutor/runs", data=body)
        assert answer.status_code == 200, answer.text


def title() -> str:
    return str(ChatSession.objects.get(external_id="os").title)


@pytest.mark.parametrize("kind", [DjangoDb, AsyncDjangoDb])
async def test_sessions_are_listed_read_renamed_and_deleted(student: User, outsider: User, kind: Any) -> None:
    async with service(kind()) as client:
        await ask(client, "one", "two")
        listed = (await client.get("/sessions", params=MINE)).json()
        assert [row["session_id"] for row in listed["data"]] == ["os"]
        assert listed["meta"]["total_count"] == 1
        read = (await client.get("/sessions/os", params=MINE)).json()
        assert [message["content"] for message in read["chat_history"]] == ["one", "Yes.", "two", "Yes."]
        runs = (await client.get("/sessions/os/runs", params=MINE)).json()
        assert [run["run_input"] for run in runs] == ["one", "two"]
        one = await client.get(f"/sessions/os/runs/{runs[0]['run_id']}", params=MINE)
        assert one.json()["content"] == "Yes."
        named = await client.post("/sessions/os/rename", params=MINE, json={"session_name": "Named by a program"})
        assert named.json()["session_name"] == "Named by a program"
        assert await in_database(title) == "Named by a program"
        theirs = {"type": "agent", "user_id": "outsider"}
        assert (await client.get("/sessions/os", params=theirs)).status_code == 404
        await client.delete("/sessions/os", params=theirs)
        assert (await client.get("/sessions/os", params=MINE)).status_code == 200
        assert (await client.delete("/sessions/os", params=MINE)).status_code == 204
        assert (await client.get("/sessions/os", params=MINE)).status_code == 404
    assert not await in_database(ChatSession.objects.exists)


@pytest.mark.parametrize("kind", [DjangoDb, AsyncDjangoDb])
async def test_memories_learnings_figures_and_empty_traces_are_served(student: User, kind: Any) -> None:
    async with service(kind()) as client:
        await ask(client, "one")
        made = (await client.post("/memories", json={"memory": "Likes proofs", "user_id": "student"})).json()
        assert (await client.get(f"/memories/{made['memory_id']}")).json()["memory"] == "Likes proofs"
        assert (await client.get("/memories", params={"user_id": "student"})).json()["meta"]["total_count"] == 1
        figures = (await client.post("/metrics/refresh")).json()
        assert sum(day["agent_runs_count"] for day in figures) == 1
        for page in ("/learnings", "/learnings/users", "/eval-runs", "/traces", "/trace_session_stats"):
            answer = await client.get(page)
            assert answer.status_code == 200, page
            assert answer.json()["meta"]["total_count"] == 0
