"""What a viewer of a reply is told, in order: a snapshot first, then only what came after it.

Offsets count code points. Events are shared between all viewers of a reply, so each is encoded once for a door.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID


@dataclass(slots=True)
class Snapshot:
    """The reply as it is now: the first event of every viewer, and again for one that fell behind or a new attempt."""

    reply_id: UUID
    attempt: int
    text: str
    reasoning: str
    sources: list[dict[str, Any]] | None  # None: not known yet
    blocks: list[str]  # HTML; empty for viewers that did not ask for it


@dataclass(slots=True)
class SourcesKnown:
    reply_id: UUID
    attempt: int
    sources: list[dict[str, Any]]


@dataclass(slots=True)
class ReasoningDelta:
    reply_id: UUID
    attempt: int
    offset: int
    text: str


@dataclass(slots=True)
class TextDelta:
    """`text` follows the first `offset` code points; the shown blocks from index `start` on become `blocks`."""

    reply_id: UUID
    attempt: int
    offset: int
    text: str
    start: int
    blocks: list[str]
    encoded: dict[str, str] = field(default_factory=dict, repr=False)

    def encode(self, door: str, encoder: "Callable[[TextDelta], str]") -> str:
        """What `encoder` makes of this event, made once for all viewers at that door."""
        if door not in self.encoded:
            self.encoded[door] = encoder(self)
        return self.encoded[door]


@dataclass(slots=True)
class Restarted:
    """What was shown is void: the reply begins again."""

    reply_id: UUID
    attempt: int


@dataclass(slots=True)
class Ended:
    """The reply is final in the database. The last event."""

    reply_id: UUID


Event: TypeAlias = Snapshot | SourcesKnown | ReasoningDelta | TextDelta | Restarted | Ended
