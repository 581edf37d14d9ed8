"""What the rest of the site knows of a language model: a request, the events that come back, one error.

Providers are interchangeable behind `Provider`. This package imports neither Django nor the site's settings,
so that it can be driven on its own by tests, benchmarks and scripts.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Role: TypeAlias = Literal["system", "user", "assistant"]
FinishReason: TypeAlias = Literal["stop", "length", "content-filter", "other"]
ErrorCode: TypeAlias = Literal[
    "model_auth",  # the key is wrong or may not use this model
    "model_not_found",  # no such model, or no such address at the provider
    "model_rate_limited",  # too many requests; waiting as told did not fit into the reply's time
    "model_quota",  # the account behind the key has no credit left
    "model_server_error",  # the provider answered 5xx
    "model_unreachable",  # no connection could be made
    "model_dropped",  # the stream ended without saying so; what came stays
    "model_malformed",  # something came that is not the protocol
    "model_empty",  # a finished reply without a single token
    "model_silent",  # nothing came for longer than the silence limit
    "model_timeout",  # the whole reply took longer than its limit
    "context_too_long",  # the prompt does not fit the model; a tighter one may
    "content_filter",  # the provider refused the prompt or cut the reply
    "model_error",  # anything else that the provider said
]


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message of the prompt, as every provider understands it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage of course material given to the model, numbered by `marker` (from 1).

    `locator_text` is the place as a person would say it: "page 3", "slide 4", "12:31",
    "Gradient descent › Step size"; empty when the document has no finer place.
    """

    marker: int
    title: str
    locator_text: str
    text: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model.

    `timeout_seconds` bounds the whole reply with its retries, `silence_seconds` the wait for the first token
    and between any two. `passages` and `question` are read by the built-in tutor only: a model has them in
    `messages`.
    """

    model: str
    messages: tuple[PromptMessage, ...]
    timeout_seconds: float
    silence_seconds: float
    passages: tuple[Evidence, ...] = ()
    question: str = ""


# The events are made once per token under load: plain slots classes cost about a third of a frozen dataclass.


class Text:
    """The next piece of the reply: one token, or several that arrived together.

    Never empty, and free of what a text column can't hold (NUL, lone surrogates); so is `Reasoning`.
    """

    __match_args__ = ("text",)
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Text({self.text!r})"


class Reasoning:
    """The next piece of what the model thinks aloud before it answers; shown folded. Never empty."""

    __match_args__ = ("text",)
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Reasoning({self.text!r})"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every stream that did not fail.

    `model` is the name that the provider says it answered with. `usage` is None when the provider does not
    tell.
    """

    finish_reason: FinishReason
    usage: Usage | None
    model: str


Event: TypeAlias = Text | Reasoning | Finished


class ProviderError(Exception):
    """A reply could not be made, or not to its end.

    `detail` is written for the student: what happened and what to do. It holds no secret and no text of the
    conversation. `retryable` says whether asking again unchanged may help, `retry_after` in how many seconds,
    if the provider told. `request_id` is the provider's own name for the request, for the operator's log.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code: ErrorCode = code
        self.detail = detail
        self.retryable = retryable
        self.retry_after = retry_after
        self.request_id = request_id


class Provider(Protocol):
    """Something that answers. One instance serves a whole process and any number of concurrent streams."""

    name: str

    def stream(self, request: ModelRequest) -> AsyncGenerator[Event, None]:
        """Yield the reply as it comes, `Finished` last; raises `ProviderError`.

        Text that was yielded before an error stands. Close the iterator (or cancel its task) to stop: the
        connection to the model is closed at once.
        """
        ...

    async def complete(self, request: ModelRequest) -> str:
        """Return a short answer whole, stripped; raises `ProviderError`. Meant for titles."""
        ...

    async def aclose(self) -> None:
        """Close the connections. The provider can't be used afterwards."""
        ...
