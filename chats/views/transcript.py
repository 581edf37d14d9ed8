"""Messages made ready for the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.safestring import SafeString, mark_safe

from chats import markup
from chats.models import ChatSession, Citation, Message
from chats.representation import locator_text, source_url
from chats.services import history
from core.ids import parse_uuid

PAGE = 50


@dataclass(frozen=True)
class ShownSource:
    marker: int
    document_title: str
    place: str
    url: str | None


@dataclass(frozen=True)
class ShownMessage:
    """A message with what its template needs and a template can't work out."""

    message: Message
    blocks: list[SafeString]
    cited: list[ShownSource]
    siblings: list[UUID]
    is_last: bool
    rating: int
    comment: str

    @property
    def reasoning(self) -> str:
        return str(self.message.reasoning)

    @property
    def version(self) -> int:
        return self.siblings.index(self.message.pk) + 1 if self.message.pk in self.siblings else 1

    @property
    def previous(self) -> UUID | None:
        return self.siblings[self.version - 2] if self.version > 1 else None

    @property
    def next(self) -> UUID | None:
        return self.siblings[self.version] if self.version < len(self.siblings) else None


def shown(message: Message, *, is_last: bool = False) -> ShownMessage:
    """`message` must come from `services.history`, which attaches versions, sources and feedback."""
    citations: list[Citation] = list(message.citations.all())
    feedback = getattr(message, "feedback", None)
    return ShownMessage(
        message=message,
        blocks=_blocks(message, citations) if message.role == "assistant" else [],
        cited=[source(citation) for citation in citations if citation.cited],
        siblings=getattr(message, "sibling_ids", [message.pk]),
        is_last=is_last,
        rating=feedback.rating if feedback else 0,
        comment=feedback.comment if feedback else "",
    )


def source(citation: Citation) -> ShownSource:
    # Of a path of headings the innermost says enough beside the document's title.
    place = locator_text(citation).rsplit(" › ", 1)[-1]
    return ShownSource(citation.marker, citation.document_title, place, source_url(citation))


def _blocks(message: Message, citations: Sequence[Citation]) -> list[SafeString]:
    links = [
        markup.SourceLink(citation.marker, url, citation.document_title)
        for citation in citations
        if (url := source_url(citation))
    ]
    # The renderer has sanitised every block: that is its contract, and its tests'.
    return [mark_safe(block) for block in markup.render(message.content, sources=links)]  # noqa: S308


def transcript(*, session: ChatSession, before: str | None = None, at: str | None = None) -> dict[str, Any]:
    """The newest messages of the shown branch, those before `before`, or those up to `at` if that is an older one.

    Raises NotFound for a message that isn't the session's.
    """
    shown_page = history.page(session=session, limit=PAGE, before=before or None)
    at_end = not before
    if at and parse_uuid(at) not in {message.pk for message in shown_page.messages}:
        shown_page = history.page(session=session, limit=PAGE, upto=at)
        at_end = False
    messages = shown_page.messages
    return {
        "session": session,
        "turns": [shown(message, is_last=message.pk == session.head_id) for message in messages],
        "older": messages[0].pk if messages and shown_page.has_more else None,
        "running": any(message.is_running for message in messages),
        "at_end": at_end,
    }
