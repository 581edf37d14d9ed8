"""Runs and sessions of Agno's for tests, and a model of its that needs no server."""

from collections.abc import Iterator
from typing import Any

from agno.db.base import SessionType
from agno.models.base import Model
from agno.models.message import Message as AgnoMessage
from agno.models.response import ModelResponse
from agno.run.agent import RunInput, RunOutput
from agno.run.base import RunStatus
from agno.session import AgentSession
from django.contrib.auth.models import User

from chats.integrations.agno import DjangoDb
from chats.services import history, sessions


class Echo(Model):
    """A model of Agno's that answers at once."""

    def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return ModelResponse(role="assistant", content="Yes.")

    async def ainvoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return self.invoke()

    def invoke_stream(self, *args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
        yield self.invoke()

    async def ainvoke_stream(self, *args: Any, **kwargs: Any) -> Any:
        yield self.invoke()

    def _parse_provider_response(self, response: Any, **kwargs: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        return response


def said(run_id: str, question: str, answer: str, **fields: Any) -> RunOutput:
    return RunOutput(
        run_id=run_id,
        agent_id="tutor",
        input=RunInput(question),
        content=answer,
        messages=[AgnoMessage(role="user", content=question), AgnoMessage(role="assistant", content=answer)],
        **{"status": RunStatus.completed, **fields},
    )


def shown(user: User, session_id: str, roles: tuple[str, ...] = ("user", "assistant")) -> list[tuple[str, str]]:
    found = sessions.find(user=user, session_id=session_id)
    return [(message.role, message.content) for message in history.page(session=found, roles=roles).messages]


def kept(db: DjangoDb, session_id: str, user: User) -> list[tuple[str, str]]:
    session = db.get_session(session_id, SessionType.AGENT, user_id=user.username)
    assert isinstance(session, AgentSession)
    return [(message.role, str(message.content)) for message in session.get_chat_history()]


def new_session(session_id: str, user_id: str | None, **fields: Any) -> AgentSession:
    return AgentSession(session_id=session_id, agent_id="tutor", user_id=user_id, created_at=1700000000, **fields)
