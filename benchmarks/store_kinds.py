"""What `stores` measures: each framework's store and agent, and a JSON blob per chat."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

# What a run stores has names of its own: the frameworks' own tables are still there the next time.
RUN = uuid4().hex[:8]
TEXT = ("Gradient descent walks downhill. " * 40)[:1000]
LAST = 20


class Store:
    """Something to measure: fill it to a length, take a turn, read the newest."""

    name = ""

    async def fill(self, messages: int) -> None:
        raise NotImplementedError

    async def turn(self) -> None:
        raise NotImplementedError

    async def newest(self) -> None:
        raise NotImplementedError


def items(count: int) -> list[dict[str, Any]]:
    return [{"role": "user" if number % 2 == 0 else "assistant", "content": TEXT} for number in range(count)]


class Session(Store):
    """Any session of the OpenAI Agents SDK."""

    def __init__(self, name: str, session: Any) -> None:
        self.name, self.session = name, session

    async def fill(self, messages: int) -> None:
        for start in range(0, messages, 500):
            await self.session.add_items(items(min(500, messages - start)))

    async def turn(self) -> None:
        await self.session.add_items(items(2))

    async def newest(self) -> None:
        assert len(await self.session.get_items(LAST)) <= LAST


class Histories(Store):
    """PydanticAI's messages, saved and loaded."""

    name = "PydanticAI: save_messages, load_messages"

    def __init__(self, user: Any) -> None:
        self.user, self.session_id = user, ""

    @staticmethod
    def messages(count: int) -> list[Any]:
        from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart

        made = [ModelRequest.user_text_prompt(TEXT), ModelResponse([TextPart(TEXT)])]
        return made * (count // 2)

    async def fill(self, messages: int) -> None:
        from chats.integrations.pydantic_ai import create_session, save_messages

        self.session_id = self.session_id or await create_session(user=self.user)
        for start in range(0, messages, 500):
            await save_messages(self.session_id, self.messages(min(500, messages - start)))

    async def turn(self) -> None:
        from chats.integrations.pydantic_ai import save_messages

        await save_messages(self.session_id, self.messages(2))

    async def newest(self) -> None:
        from chats.integrations.pydantic_ai import load_messages

        assert len(await load_messages(self.session_id, limit=LAST)) <= LAST


class Conversations(Store):
    """A conversation store of PydanticAI's: load the last 20, save one more turn."""

    def __init__(self, name: str, store: Any) -> None:
        self.name, self.store = name, store

    async def _add(self, count: int) -> None:
        from pydantic_ai import Conversation

        loaded = await self.store.load("bench", limit=LAST) or Conversation(conversation_id="bench")
        loaded.messages.extend(Histories.messages(count))
        await self.store.save(loaded)

    async def fill(self, messages: int) -> None:
        for start in range(0, messages, 500):
            await self._add(min(500, messages - start))

    async def turn(self) -> None:
        await self._add(2)

    async def newest(self) -> None:
        return None  # a turn loads them, as an agent's does


class Runs(Store):
    """Agno's databases as an agent calls them: read the newest runs, keep the session, keep the run."""

    def __init__(self, name: str, db: Any, user_id: str) -> None:
        self.name, self.db, self.user_id, self.count = name, db, user_id, 0
        self.session_id = f"session of {user_id} {RUN}"
        self.thread = ThreadPoolExecutor(max_workers=1)

    def session(self) -> Any:
        from agno.session import AgentSession

        return AgentSession(session_id=self.session_id, agent_id="bench", user_id=self.user_id, created_at=1700000000)

    def run(self) -> Any:
        from agno.models.message import Message
        from agno.run.agent import RunInput, RunOutput
        from agno.run.base import RunStatus

        self.count += 1
        said = [Message(role="user", content=TEXT), Message(role="assistant", content=TEXT)]
        return RunOutput(
            run_id=f"run {RUN} {self.count}",
            agent_id="bench",
            input=RunInput(TEXT),
            content=TEXT,
            messages=said,
            status=RunStatus.completed,
        )

    async def fill(self, messages: int) -> None:
        await self.outside(partial(self._fill, messages))

    def _fill(self, messages: int) -> None:
        if not self.count:
            self.db.upsert_session(self.session())
        for _ in range(messages // 2):
            self.db.upsert_run(self.run(), self.session_id, self.user_id, run_index=self.count - 1)

    async def turn(self) -> None:
        await self.outside(self._turn)

    def _turn(self) -> None:
        self.db.upsert_session(self.session())
        self.db.upsert_run(self.run(), self.session_id, self.user_id, run_index=self.count - 1)

    async def newest(self) -> None:
        await self.outside(self._newest)

    def _newest(self) -> None:
        found = self.db.get_session(self.session_id, user_id=self.user_id, runs_limit=LAST // 2)
        assert len(found.runs) <= LAST // 2

    async def outside(self, call: Any) -> Any:
        """Call what is not async where no event loop runs, as a program does that is not async."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, call)


class AgentTurns(Runs):
    """A whole turn of an Agno agent with the last ten runs as history."""

    def __init__(self, name: str, db: Any, user_id: str) -> None:
        super().__init__(name, db, user_id)
        self.agent: Any = None

    async def turn(self) -> None:
        self.agent = self.agent or agno_agent(self.db, self.session_id, self.user_id)
        await self.outside(partial(self.agent.run, TEXT))

    async def newest(self) -> None:
        return None  # the run reads what it needs


def agno_agent(db: Any, session_id: str, user_id: str) -> Any:
    from agno.agent import Agent
    from agno.models.base import Model
    from agno.models.response import ModelResponse

    class Echo(Model):
        """A model that answers at once."""

        def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
            return ModelResponse(role="assistant", content=TEXT)

        async def ainvoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
            return self.invoke()

        def invoke_stream(self, *args: Any, **kwargs: Any) -> Any:
            yield self.invoke()

        async def ainvoke_stream(self, *args: Any, **kwargs: Any) -> Any:
            yield self.invoke()

        def _parse_provider_response(self, response: Any, **kwargs: Any) -> ModelResponse:
            return response

        def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
            return response

    return Agent(
        id="bench",
        model=Echo(id="echo"),
        db=db,
        session_id=session_id,
        user_id=user_id,
        add_history_to_context=True,
        num_history_runs=10,
        telemetry=False,
    )


class Blob(Store):
    """One JSON document per chat, read, extended and written whole: what many chat systems do."""

    name = "a JSON blob per chat"

    def __init__(self) -> None:
        from django.db import connection

        self.connection = connection
        kind = "jsonb" if connection.vendor == "postgresql" else "text"
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE bench_blob (id integer PRIMARY KEY, chat {kind})")
            cursor.execute("INSERT INTO bench_blob VALUES (1, '[]')")

    def _read(self) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT chat FROM bench_blob WHERE id = 1")
            chat = cursor.fetchone()[0]
        return json.loads(chat) if isinstance(chat, str) else chat

    def _add(self, count: int) -> None:
        chat = [*self._read(), *items(count)]
        with self.connection.cursor() as cursor:
            cursor.execute("UPDATE bench_blob SET chat = %s WHERE id = 1", [json.dumps(chat)])

    async def fill(self, messages: int) -> None:
        await asyncio.to_thread(self._add, messages)

    async def turn(self) -> None:
        await asyncio.to_thread(self._add, 2)

    async def newest(self) -> None:
        await asyncio.to_thread(lambda: self._read()[-LAST:])
