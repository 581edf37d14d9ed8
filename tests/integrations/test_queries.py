"""A call of a framework costs the same number of queries in a short conversation and in a long one."""

import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")
pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")
pytest.importorskip("agno", reason="agno is not installed")

from agno.agent import Agent
from agno.db.base import SessionType
from agno.models.message import Message as AgnoMessage
from agno.run.agent import RunInput, RunOutput
from agno.run.base import RunStatus
from agno.session import AgentSession
from asgiref.sync import async_to_sync as sync
from django.contrib.auth.models import User
from django.db import connection
from pydantic_ai import Conversation
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart

from chats.integrations.agno import DjangoDb
from chats.integrations.openai_agents import DjangoSession
from chats.integrations.pydantic_ai import DjangoConversationStore, load_messages_sync, save_messages_sync
from tests.integrations.agno_cases import Echo

pytestmark = pytest.mark.django_db(transaction=True)

LENGTHS = (10, 1_000)
LAST = 20
# What each costs today, so that nothing is added unseen.
SDK = {"add": 4, "get": 1, "pop": 13}
PYDANTIC = {"save": 5, "load": 1, "store save": 5, "store load": 2, "list": 1}
AGNO = {"session": 2, "keep session": 3, "keep run": 6, "turn": 11}
# PostgreSQL locks a session's row by a statement of its own, sent together with the one after it.
LOCKS = {"store save": 1, "keep session": 1, "keep run": 1, "turn": 2}


class Statements(logging.Handler):
    """Notes the statements of all threads, beginnings and ends of transactions aside."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        sql = str(getattr(record, "sql", ""))
        if sql and not sql.startswith(("BEGIN", "COMMIT", "SET ")):
            self.seen.append(sql)


@pytest.fixture
def statements(settings: Any) -> Iterator[Statements]:
    settings.DEBUG = True  # or Django logs none
    logger, noted = logging.getLogger("django.db.backends"), Statements()
    before = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(noted)
    yield noted
    logger.removeHandler(noted)
    logger.level, logger.propagate = before


def cost(statements: Statements, call: Callable[[], Any]) -> int:
    call()  # what is put together once, is
    statements.seen.clear()
    call()
    seen = statements.seen.copy()
    if connection.vendor == "sqlite":
        for sql in seen:
            assert not goes_through_all(sql), sql
    return len(seen)


def here(costs: dict[str, int]) -> dict[str, int]:
    locks = LOCKS if connection.vendor == "postgresql" else {}
    return {name: count + locks.get(name, 0) for name, count in costs.items()}


def goes_through_all(sql: str) -> bool:
    """Whether SQLite means to look at every message or run of a session, or at every session."""
    if sql.lstrip().startswith("INSERT"):
        return False
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}".replace("%", "%%"), [])
        steps = [row[-1] for row in cursor.fetchall()]
    walks = ("SCAN chats_", "USING INDEX message_by_session", "USING INDEX session_idle")
    return any(walk in step for step in steps for walk in walks)


def items(count: int) -> list[Any]:
    return [{"role": "user" if place % 2 == 0 else "assistant", "content": str(place)} for place in range(count)]


def messages(count: int) -> list[Any]:
    return [ModelRequest.user_text_prompt("x"), ModelResponse([TextPart("y")])] * (count // 2)


def test_a_call_of_the_agents_sdk_costs_the_same_in_a_long_session(student: User, statements: Statements) -> None:
    session, length = DjangoSession("sdk", user=student), 0
    for wanted in LENGTHS:
        sync(session.add_items)(items(wanted - length))
        length = wanted
        costs = {
            "add": cost(statements, lambda: sync(session.add_items)(items(2))),
            "get": cost(statements, lambda: sync(session.get_items)(LAST)),
            "pop": cost(statements, sync(session.pop_item)),
        }
        assert costs == SDK


def test_a_call_of_pydantic_ai_costs_the_same_in_a_long_conversation(student: User, statements: Statements) -> None:
    store = DjangoConversationStore(user=student)

    def save() -> None:
        loaded = sync(store.load)("log", limit=LAST)
        assert loaded is not None
        loaded.messages.extend(messages(2))
        statements.seen.clear()  # of what follows
        sync(store.save)(loaded)

    sync(store.save)(Conversation(conversation_id="log"))
    length = 0
    for wanted in LENGTHS:
        save_messages_sync("list", messages(wanted - length), user=student)
        loaded = sync(store.load)("log", limit=1)
        assert loaded is not None
        loaded.messages.extend(messages(wanted - length))
        sync(store.save)(loaded)
        length = wanted
        costs = {
            "save": cost(statements, lambda: save_messages_sync("list", messages(2), user=student)),
            "load": cost(statements, lambda: load_messages_sync("list", user=student, limit=LAST)),
            "store save": cost(statements, save),
            "store load": cost(statements, lambda: sync(store.load)("log", limit=LAST)),
            "list": cost(statements, lambda: sync(store.list_conversations)(limit=LAST)),
        }
        assert costs == here(PYDANTIC)


def test_a_call_of_agno_costs_the_same_in_a_long_session(student: User, statements: Statements) -> None:
    db, length = DjangoDb(), 0
    agent = Agent(
        id="tutor", model=Echo(id="echo"), db=db, session_id="agno", user_id="student", telemetry=False,
        add_history_to_context=True, num_history_runs=10,
    )  # fmt: skip
    session = AgentSession(session_id="agno", agent_id="tutor", user_id="student", created_at=1_700_000_000)

    def run() -> RunOutput:
        said = [AgnoMessage(role="user", content="x"), AgnoMessage(role="assistant", content="y")]
        status = RunStatus.completed
        return RunOutput(run_id=str(uuid4()), agent_id="tutor", input=RunInput("x"), messages=said, status=status)

    for wanted in LENGTHS:
        session.runs = [run() for _ in range((wanted - length) // 2)]
        if length:
            for one in session.runs:
                db.upsert_run(one, "agno", "student")
        else:
            db.upsert_session(session)
        length = wanted
        costs = {
            "session": cost(statements, lambda: db.get_session("agno", SessionType.AGENT, "student")),
            "keep session": cost(statements, lambda: db.upsert_session(session)),
            "keep run": cost(statements, lambda: db.upsert_run(run(), "agno", "student")),
            "turn": cost(statements, lambda: agent.run("x")),
        }
        assert costs == here(AGNO)
