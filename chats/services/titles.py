"""What a conversation is called when nobody has named it."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from chats.models import ChatSession, Message
from chats.services.news import tell


@dataclass(frozen=True)
class Opening:
    """How a conversation begins."""

    question: str
    answer: str


def opening(session_id: UUID) -> Opening | None:
    """The first question and answer that there are; None for a conversation without a question."""
    messages = Message.objects.filter(session_id=session_id, deleted_at__isnull=True)
    question = messages.filter(role="user").order_by("id").first()
    if question is None:
        return None
    answer = messages.filter(parent=question, role="assistant").exclude(content="").order_by("id").first()
    return Opening(question.content, "" if answer is None else answer.content)


@transaction.atomic
def store(session_id: UUID, title: str, *, by_model: bool, replace: bool = False) -> bool:
    """Name a session that nobody has named; with `replace` in any case. Returns whether it was."""
    source = ChatSession.TitleSource.MODEL if by_model else ChatSession.TitleSource.QUESTION
    rows = ChatSession.objects.filter(pk=session_id)
    if not replace:
        rows = rows.filter(title_source__in=["", ChatSession.TitleSource.QUESTION])
    named = bool(title) and bool(rows.update(title=title[:200], title_source=source))
    if named:
        tell(session_id, "session.updated")
    return named
