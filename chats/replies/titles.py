"""Titles by the model, after the first reply, in the background: no reply waits for its title."""

import asyncio

import structlog

from chats import prompts
from chats.llm.protocol import ModelRequest, Provider, ProviderError
from chats.markup import plain_text
from chats.models import ChatSession
from chats.replies import preparation
from chats.services import titles
from core.background import spawn
from core.database import AWAY, in_database

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 20.0


def write_if_missing(session: ChatSession, provider: Provider) -> asyncio.Task[None] | None:
    """Start writing a title for a session that has none. Returns at once, with the task if there is one."""
    if session.title or preparation.is_built_in(provider):
        return None
    return spawn(_write(session, provider), name=f"title-{session.pk}")


async def _write(session: ChatSession, provider: Provider) -> None:
    try:
        opening = await in_database(titles.opening, session.pk)
        if opening is not None:
            title = await compose(opening, provider)
            await in_database(titles.store, session.pk, title, by_model=True)
    except AWAY as error:
        log.warning("title not stored", session_id=str(session.pk), error=type(error).__name__)


async def compose(opening: titles.Opening, provider: Provider) -> str:
    """A title for a conversation that begins so: by the model, or the question itself where it can't."""
    from django.conf import settings

    request = ModelRequest(
        model=settings.TITLE_MODEL,
        messages=prompts.title_messages(opening.question, opening.answer),
        timeout_seconds=TIMEOUT_SECONDS,
        silence_seconds=TIMEOUT_SECONDS,
        question=opening.question,
    )
    try:
        written = await provider.complete(request)
    except ProviderError as error:
        log.warning("title not written", code=error.code)
        written = ""
    return prompts.title_from(written) or plain_text(opening.question, preparation.TITLE_CHARS)
