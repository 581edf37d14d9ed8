"""How a reply is made and watched. Doors call these; they may be called from any thread.

A turn is committed by `chats.services.turns`; here it is also started. The reply then belongs to the site: it goes on
whoever watches, and another process takes it over should this one die.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any
from uuid import UUID

from chats.models import Message
from chats.querysets import Person
from chats.replies import supervisor
from chats.replies.live import Subscription
from chats.services import sessions, titles, turns
from chats.services.stopping import request_stop
from chats.services.turns import Turn
from core.database import release_connections
from core.errors import NotFound
from core.ids import parse_uuid

__all__ = [
    "Subscription",
    "ask",
    "begin",
    "edit",
    "generate_title",
    "regenerate",
    "start",
    "stop",
    "subscribe",
    "watch",
]


def ask(**arguments: Any) -> Turn:
    """Commit a question and start its reply; see `turns.ask` for arguments and errors."""
    return _started(turns.ask(**arguments))


def begin(**arguments: Any) -> Turn:
    """Commit a session with its first question and start the reply; see `turns.begin`."""
    return _started(turns.begin(**arguments))


def regenerate(**arguments: Any) -> Turn:
    """Commit another answer to a question and start it; see `turns.regenerate`."""
    return _started(turns.regenerate(**arguments))


def edit(**arguments: Any) -> Turn:
    """Commit another wording of a question and start its reply; see `turns.edit`."""
    return _started(turns.edit(**arguments))


def _started(turn: Turn) -> Turn:
    if turn.created and turn.reply is not None:
        start(turn.reply.pk)
    return turn


def start(reply_id: UUID) -> None:
    """Have a queued reply made in this process. Where no supervisor runs, another process finds it in a second."""
    current = supervisor.current()
    if current is not None and not current.draining:
        current.loop.call_soon_threadsafe(current.run, reply_id)


def stop(*, user: Person, session_id: object, reply_id: object = None) -> bool:
    """Stop the session's running reply (that one, if an id is given). Returns whether there was one.

    Raises NotFound for a session that isn't the user's.
    """
    session = sessions.find(user=user, session_id=session_id)
    running = Message.objects.running().filter(session=session)
    if reply_id not in (None, ""):
        uuid = parse_uuid(reply_id)
        running = running.filter(pk=uuid) if uuid else running.none()
    stopped = [reply for reply in running if request_stop(reply)]
    return bool(stopped)


def generate_title(*, user: Person, session_id: object) -> str:
    """Have the session named by the model (by its first question without one) and return the name. Not on the loop."""
    session = sessions.find(user=user, session_id=session_id)
    opening = titles.opening(session.pk)
    if opening is None:
        return session.title
    release_connections()  # none is held while the model writes
    title = _composed(opening)
    titles.store(session.pk, title, by_model=True, replace=True)
    return title


def _composed(opening: titles.Opening) -> str:
    from chats.replies import preparation
    from chats.replies.titles import TIMEOUT_SECONDS, compose  # the package's own `titles` is the services'

    current = supervisor.current()
    if current is not None and current.loop.is_running():
        waiting = asyncio.run_coroutine_threadsafe(compose(opening, current.provider), current.loop)
        return waiting.result(TIMEOUT_SECONDS + 5)

    async def alone() -> str:
        provider = preparation.provider()
        try:
            return await compose(opening, provider)
        finally:
            await provider.aclose()

    return asyncio.run(alone())


async def subscribe(reply_id: UUID, *, html: bool = False) -> Subscription:
    """The events of a running reply, from its beginning; raises NotFound when it does not run (any more).

    Whose reply it is has been seen to by the caller, who closes the subscription. That does not end the reply.
    """
    subscription = await supervisor.running().subscribe(reply_id, html=html)
    if subscription is None:
        raise NotFound("This reply does not run any more.")
    return subscription


@asynccontextmanager
async def watch(reply_id: UUID, *, html: bool = False) -> AsyncIterator[Subscription]:
    """`subscribe`, closed at the end of the block."""
    with closing(await subscribe(reply_id, html=html)) as subscription:
        yield subscription
