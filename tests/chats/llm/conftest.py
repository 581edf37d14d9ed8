"""A provider on the fake server, and a way to hear a whole reply."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from chats.llm.openai_compatible import OpenAICompatible
from chats.llm.protocol import Finished, ModelRequest, PromptMessage, Provider, ProviderError, Reasoning, Text
from tests.fakes.fixtures import ModelServer, model_server

__all__ = ["model_server"]


@dataclass
class Heard:
    """A reply as a viewer would have it."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    finished: Finished | None = None
    error: ProviderError | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def code(self) -> str | None:
        return self.error.code if self.error else None


def request_for(
    model: str, *, content: str = "What is gradient descent?", timeout: float = 20, silence: float = 10
) -> ModelRequest:
    messages = (PromptMessage("system", "You are a tutor."), PromptMessage("user", content))
    return ModelRequest(
        model=model, messages=messages, timeout_seconds=timeout, silence_seconds=silence, question=content
    )


async def hear(provider: Provider, request: ModelRequest) -> Heard:
    """Read a reply to its end, or to its error."""
    heard = Heard()
    try:
        async for event in provider.stream(request):
            assert heard.finished is None
            match event:
                case Text(text):
                    heard.texts.append(text)
                case Reasoning(text):
                    heard.thoughts.append(text)
                case Finished():
                    heard.finished = event
    except ProviderError as error:
        heard.error = error
    return heard


@pytest.fixture
async def make_provider(model_server: ModelServer) -> AsyncIterator[Callable[..., OpenAICompatible]]:
    """Make providers that are closed after the test; on the fake server unless told otherwise."""
    made: list[OpenAICompatible] = []

    def make(*, base_url: str = model_server.base_url, api_key: str = "sk-test") -> OpenAICompatible:
        made.append(OpenAICompatible(base_url=base_url, api_key=api_key, backoff_seconds=0.01))
        return made[-1]

    yield make
    for provider in made:
        await provider.aclose()


@pytest.fixture
def provider(make_provider: Callable[..., OpenAICompatible]) -> OpenAICompatible:
    return make_provider()
