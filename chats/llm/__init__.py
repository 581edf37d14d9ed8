"""Language models: one protocol, an adapter for OpenAI-compatible endpoints, and a tutor that needs none.

Imports neither Django nor the site's settings.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from chats.llm.protocol import Provider


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """Where the language model is. Without key and base URL there is none, and the built-in tutor answers."""

    base_url: str = ""
    api_key: str = field(default="", repr=False)
    chat_model: str = ""
    title_model: str = ""
    gather_seconds: Callable[[], float] | None = None
    """How long tokens may gather before they are read, for those who show them in frames; see OpenAICompatible."""

    @property
    def has_model(self) -> bool:
        return bool(self.base_url or self.api_key)


def provider_from(config: ProviderConfig) -> Provider:
    """Return the provider that the configuration asks for. One serves a whole process, on one event loop."""
    if not config.has_model:
        from chats.llm.tutor import BuiltInTutor

        return BuiltInTutor()
    # The openai package takes about a second to import: not for those who don't use it.
    from chats.llm.openai_compatible import OpenAICompatible

    return OpenAICompatible(
        base_url=config.base_url or None, api_key=config.api_key or None, gather_seconds=config.gather_seconds
    )
