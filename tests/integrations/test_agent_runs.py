"""Whole runs of each framework on its store: streamed, with tools, handed over, encrypted, compacted, and mixed."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")
pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")
pytest.importorskip("agno", reason="agno is not installed")

from agents import Agent, ModelResponse, Runner, Usage, function_tool, set_tracing_disabled
from agents.extensions.memory import EncryptedSession
from agents.memory import OpenAIResponsesCompactionSession
from agents.models.interface import Model
from django.contrib.auth.models import User
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.messages import ModelResponse as PydanticResponse
from pydantic_ai.messages import TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.ui.ag_ui import AGUIAdapter
from pydantic_ai.ui.vercel_ai import VercelAIAdapter

from chats.integrations.openai_agents import DjangoSession
from chats.integrations.pydantic_ai import DjangoConversationStore
from chats.models import ChatSession
from chats.services import history, sessions, turns
from core.database import in_database

pytestmark = pytest.mark.django_db(transaction=True)
set_tracing_disabled(True)


class Scripted(Model):
    """A model of the Agents SDK that gives prepared outputs, one list of items a turn, and keeps what it was sent."""

    def __init__(self, *outputs: list[Any]) -> None:
        self.outputs, self.inputs = list(outputs), []

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:  # noqa: A002
        self.inputs.append(input)
        return ModelResponse(output=self.outputs.pop(0), usage=Usage(), response_id=None)

    async def stream_response(
        self,
        system_instructions: Any,
        input: Any,  # noqa: A002
        *args: Any,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        self.inputs.append(input)
        response = Response(
            id="r",
            created_at=0,
            model="scripted",
            object="response",
            output=self.outputs.pop(0),
            tool_choice="none",
            tools=[],
            parallel_tool_calls=False,
        )
        yield ResponseCompletedEvent(type="response.completed", response=response, sequence_number=0)


def says(text: str) -> ResponseOutputMessage:
    part = ResponseOutputText(text=text, type="output_text", annotations=[], logprobs=[])
    return ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[part])


def calls(name: str, **arguments: Any) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        id=f"fc_{name}", call_id=f"call_{name}", type="function_call", name=name, arguments=json.dumps(arguments)
    )


@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def shown(user: User, session_id: str, roles: tuple[str, ...] = ("user", "assistant")) -> list[tuple[str, str]]:
    def look() -> list[tuple[str, str]]:
        found = sessions.find(user=user, session_id=session_id)
        return [(message.role, message.content) for message in history.page(session=found, roles=roles).messages]

    return await in_database(look)


async def test_runs_with_tools_handoffs_and_streams_are_remembered(student: User) -> None:
    session = DjangoSession("runs", user=student)
    second = Agent(name="Second", model=Scripted([says("From the second.")]))
    first = Agent(
        name="First",
        tools=[add],
        handoffs=[second],
        model=Scripted(
            [calls("add", a=1, b=2)], [says("It is 3.")], [calls("transfer_to_second")], [says("Streamed.")]
        ),
    )
    assert (await Runner.run(first, "Add 1 and 2", session=session)).final_output == "It is 3."
    assert (await Runner.run(first, "Hand over", session=session)).final_output == "From the second."
    streamed = Runner.run_streamed(first, "Stream", session=session)
    async for _ in streamed.stream_events():
        pass
    assert streamed.final_output == "Streamed."
    assert await shown(student, "runs") == [
        ("user", "Add 1 and 2"),
        ("assistant", "It is 3."),
        ("user", "Hand over"),
        ("assistant", "From the second."),
        ("user", "Stream"),
        ("assistant", "Streamed."),
    ]
    assert ("tool", "3") in await shown(student, "runs", ("user", "assistant", "tool"))
    kinds = [item.get("type", "message") for item in await session.get_items()]
    assert kinds.count("function_call") == kinds.count("function_call_output") == 2
    assert len(first.model.inputs[-1]) == len(kinds) - 1  # the whole conversation but for the last answer


async def test_an_encrypted_session_keeps_nothing_readable(student: User) -> None:
    session = EncryptedSession("secret", DjangoSession("secret", user=student), encryption_key="k" * 32, ttl=3600)
    agent = Agent(name="Tutor", model=Scripted([says("Confidential.")], [says("Again.")]))
    await Runner.run(agent, "A private question", session=session)
    await Runner.run(agent, "Another", session=session)
    assert [item["role"] for item in await session.get_items()] == ["user", "assistant", "user", "assistant"]
    everything = await shown(student, "secret", ("user", "assistant", "tool", "system"))
    assert {text for _, text in everything} == {"[encrypted]"}
    popped = await session.pop_item()
    assert popped is not None
    assert len(await session.get_items()) == 3


class Compacting:
    """As much of an OpenAI client as compaction uses."""

    def __init__(self) -> None:
        self.responses = self
        self.inputs: list[Any] = []

    async def compact(self, **request: Any) -> Any:
        self.inputs.append(request.get("input"))
        item = {"type": "compaction", "id": "cmp", "encrypted_content": "the gist"}
        return type("Compacted", (), {"output": [item], "usage": None})()


async def test_compaction_replaces_what_agents_read_and_people_keep_the_history(student: User) -> None:
    under = DjangoSession("long", user=student)
    client = Compacting()
    session = OpenAIResponsesCompactionSession(
        "long", under, client=client, compaction_mode="input", should_trigger_compaction=lambda _: False
    )
    agent = Agent(name="Tutor", model=Scripted(*[[says(f"Answer {n}")] for n in range(3)]))
    for number in range(3):
        await Runner.run(agent, f"Question {number}", session=session)
    await session.run_compaction({"force": True})
    assert [item["type"] for item in await under.get_items()] == ["compaction"]

    def kept() -> int:
        found = ChatSession.objects.get(external_id="long")
        return found.messages.filter(deleted_at__isnull=True, content__startswith="Question").count()

    assert await in_database(kept) == 3


async def test_a_suffix_is_replaced_only_while_it_is_the_end(student: User) -> None:
    session = DjangoSession("snapshot", user=student)
    items: list[Any] = [{"role": "user", "content": str(number)} for number in range(5)]
    await session.add_items(items)
    snapshot = await session._get_compaction_snapshot(3)
    assert (snapshot.items, snapshot.complete) == (items[2:], False)
    assert await snapshot.replace_suffix(1, [{"role": "user", "content": "gist"}])
    assert await session.get_items() == [*items[:3], {"role": "user", "content": "gist"}]
    assert not await snapshot.replace_suffix(1, [{"role": "user", "content": "late"}])


async def test_pydantic_ai_runs_with_tools_through_the_store(student: User) -> None:
    def answer(messages: list[Any], info: Any) -> PydanticResponse:
        last = messages[-1].parts[-1]
        if last.part_kind == "user-prompt" and last.content == "Add":
            return PydanticResponse([ToolCallPart("add", {"a": 1, "b": 2})])
        return PydanticResponse([TextPart(f"{len(messages)} messages")])

    agent = PydanticAgent(FunctionModel(answer))

    @agent.tool_plain(name="add")
    def add_numbers(a: int, b: int) -> int:
        return a + b

    store = DjangoConversationStore(user=student)
    from pydantic_ai import Conversation

    for question in ("Hello", "Add", "Bye"):
        conversation = await store.load("pydantic") or Conversation(conversation_id="pydantic")
        await store.save(await agent.run(question, conversation=conversation))
    assert await shown(student, "pydantic") == [
        ("user", "Hello"),
        ("assistant", "1 messages"),
        ("user", "Add"),
        ("assistant", "5 messages"),
        ("user", "Bye"),
        ("assistant", "7 messages"),
    ]
    folded = await shown(student, "pydantic", ("tool",))
    assert folded == [("tool", 'add({"a":1,"b":2})'), ("tool", "3")]


async def test_the_vercel_adapter_continues_a_conversation_of_the_site(student: User) -> None:
    made, _ = await in_database(sessions.create, user=student)
    added = [{"role": "user", "content": "On the site"}, {"role": "assistant", "content": "Here"}]
    await in_database(turns.append, user=student, session_id=made.pk, messages=added)

    async def answer(messages: list[Any], info: Any) -> AsyncIterator[str]:
        yield f"after {len(messages)}"

    body = {
        "trigger": "submit-message",
        "id": str(made.pk),
        "messages": [{"id": "u1", "role": "user", "parts": [{"type": "text", "text": "By adapter"}]}],
    }
    adapter = VercelAIAdapter(
        agent=PydanticAgent(FunctionModel(stream_function=answer)),
        run_input=VercelAIAdapter.build_run_input(json.dumps(body).encode()),
        conversation_store=DjangoConversationStore(user=student),
    )
    events = [event async for event in adapter.run_stream()]
    assert events
    expected = [("user", "On the site"), ("assistant", "Here"), ("user", "By adapter"), ("assistant", "after 3")]
    assert await shown(student, str(made.pk)) == expected


async def test_the_ag_ui_adapter_keeps_its_threads(student: User) -> None:
    async def answer(messages: list[Any], info: Any) -> AsyncIterator[str]:
        yield f"after {len(messages)}"

    for number, question in enumerate(("First", "Second")):
        body = {
            "threadId": "thread",
            "runId": f"run {number}",
            "state": {},
            "messages": [{"id": f"u{number}", "role": "user", "content": question}],
            "tools": [],
            "context": [],
            "forwardedProps": {},
        }
        adapter = AGUIAdapter(
            agent=PydanticAgent(FunctionModel(stream_function=answer)),
            run_input=AGUIAdapter.build_run_input(json.dumps(body).encode()),
            conversation_store=DjangoConversationStore(user=student),
        )
        assert [event async for event in adapter.run_stream()]
    expected = [("user", "First"), ("assistant", "after 1"), ("user", "Second"), ("assistant", "after 3")]
    assert await shown(student, "thread") == expected
