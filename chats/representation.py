"""The shapes in which conversations leave the site: the same JSON for REST, sockets and exports."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.urls import reverse

from chats.models import ChatSession, Citation, Message


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in UTC, with a Z."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def session_data(session: ChatSession) -> dict[str, Any]:
    """A session as the contract shows it. Wants `head` selected and `running_reply_id` annotated (see `listed`)."""
    head = session.head
    running = getattr(session, "running_reply_id", None)
    return {
        "session_id": str(session.id),
        "session_name": session.title,
        "course_id": None if session.course_id is None else str(session.course_id),
        "description": session.description,
        "context_data": session.context_data,
        "metadata": session.metadata,
        "pinned": session.pinned_at is not None,
        "archived": session.archived_at is not None,
        "is_active": session.is_active,
        "message_count": 0 if head is None else head.ordinal,
        "created_at": moment(session.created_at),
        "updated_at": moment(session.updated_at),
        "last_activity_at": moment(session.last_activity_at),
        "running_reply_id": None if running is None else str(running),
        "external_id": session.external_id,
    }


def message_data(message: Message) -> dict[str, Any]:
    """A message as the contract shows it. Wants what `services.history.attach` attaches."""
    feedback = getattr(message, "feedback", None)
    return {
        "id": str(message.id),
        "role": message.role,
        "content": message.content,
        "created_at": moment(message.created_at),
        "state": message.state,
        "parent_id": None if message.parent_id is None else str(message.parent_id),
        "siblings": [str(sibling) for sibling in getattr(message, "sibling_ids", [message.id])],
        "sources": [source_data(citation) for citation in message.citations.all()],
        "tools_used": message.tools_used,
        "model": message.model,
        "prompt_tokens": message.prompt_tokens,
        "completion_tokens": message.completion_tokens,
        "processing_time_ms": message.processing_time_ms,
        "finish_reason": message.finish_reason or None,
        "reasoning": message.reasoning,
        "has_error": bool(message.error_code),
        "error_code": message.error_code or None,
        "error_message": message.error_message or None,
        "metadata": message.metadata,
        "feedback": None if feedback is None else {"rating": feedback.rating, "comment": feedback.comment},
    }


def source_data(citation: Citation) -> dict[str, Any]:
    return {
        "marker": citation.marker,
        "document_id": None if citation.document_id is None else str(citation.document_id),
        "passage_id": None if citation.passage_id is None else str(citation.passage_id),
        "title": citation.document_title,
        "locator": locator(citation),
        "quote": citation.quote,
        "url": source_url(citation),
        "cited": citation.cited,
    }


def locator(place: Any) -> dict[str, Any]:
    """Where in its document something stands: the parts that are known of page, slide, start_seconds and heading."""
    parts = {"page": place.page, "slide": place.slide, "start_seconds": place.start_seconds, "heading": place.heading}
    return {name: value for name, value in parts.items() if value not in (None, "")}


def locator_text(place: Any) -> str:
    """The same for people: "page 3", "slide 4", "12:31", or the headings it stands under."""
    if place.page is not None:
        return f"page {place.page}"
    if place.slide is not None:
        return f"slide {place.slide}"
    if place.start_seconds is not None:
        minutes, seconds = divmod(int(place.start_seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return str(place.heading)


def source_url(citation: Citation) -> str | None:
    """The page that shows the passage, or None once its document is gone."""
    if citation.document_id is None or citation.course_id is None:
        return None
    url = _document_url(citation.course_id, citation.document_id)
    return url if citation.passage_id is None else f"{url}?passage={citation.passage_id}"


@lru_cache(maxsize=1000)
def _document_url(course_id: UUID, document_id: UUID) -> str:
    return reverse("courses:document", args=[course_id, document_id])
