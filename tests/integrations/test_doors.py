"""One conversation, many doors: what each framework and the site say in it, all the others read."""

import asyncio

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")
pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")
pytest.importorskip("agno", reason="agno is not installed")

from agno.agent import Agent as AgnoAgent
from agno.models.openai import OpenAIChat
from django.contrib.auth.models import User
from openai import OpenAI
from pydantic_ai.messages import ModelRequest, TextPart, UserPromptPart
from pydantic_ai.messages import ModelResponse as PydanticResponse

from chats.integrations.agno import DjangoDb
from chats.integrations.openai_agents import DjangoSession
from chats.integrations.pydantic_ai import load_messages, save_messages
from chats.services import sessions, turns
from core.database import in_database
from tests.fakes.fixtures import ModelServer
from tests.integrations.agno_cases import shown

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_conversation_is_continued_by_all(student: User, model_server: ModelServer) -> None:
    name = "shared"

    async def agents_and_pydantic() -> None:
        await DjangoSession(name, user=student).add_items(
            [{"role": "user", "content": "To the SDK"}, {"role": "assistant", "content": "By the SDK"}]
        )
        await save_messages(
            name,
            [ModelRequest([UserPromptPart("To PydanticAI")]), PydanticResponse([TextPart("By PydanticAI")])],
            user=student,
        )

    asyncio.run(agents_and_pydantic())
    added = [{"role": "user", "content": "To the site"}, {"role": "assistant", "content": "By the site"}]
    turns.append(user=student, session_id=name, messages=added)
    with OpenAI(base_url=model_server.base_url, api_key="test") as client:
        agent = AgnoAgent(
            model=OpenAIChat(id="plain:2", client=client),
            db=DjangoDb(),
            session_id=name,
            user_id="student",
            add_history_to_context=True,
            num_history_runs=10,
            telemetry=False,
        )
        agent.run("To Agno")
    agent.set_session_name(session_id=name, session_name="Four doors")
    expected = [
        ("user", "To the SDK"),
        ("assistant", "By the SDK"),
        ("user", "To PydanticAI"),
        ("assistant", "By PydanticAI"),
        ("user", "To the site"),
        ("assistant", "By the site"),
        ("user", "To Agno"),
        ("assistant", "Gradient descent takes small steps"),
    ]
    sent = model_server.requests("plain:2")[-1]["body"]["messages"]
    assert [(message["role"], message["content"]) for message in sent][-7:] == expected[:-1]
    assert [(m.role, str(m.content)) for m in agent.get_chat_history(session_id=name)] == expected

    async def read() -> None:
        items = await DjangoSession(name, user=student).get_items()
        assert [(item["role"], item["content"]) for item in items] == expected
        messages = await load_messages(name, user=student)
        assert [message.parts[0].content for message in messages] == [text for _, text in expected]
        assert await in_database(shown, student, name) == expected

    asyncio.run(read())
    assert sessions.find(user=student, session_id=name).title == "Four doors"
