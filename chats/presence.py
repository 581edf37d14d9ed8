"""The pages that are open on this process, and a look now and then at whether they missed something.

News between processes can be lost, or has no way to go where the site has no Redis. So every few seconds one look at
the database, for all open pages together, finds what changed and who may not be there any more.
"""

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import structlog

from chats.services import access
from chats.services.access import Standing
from core.background import spawn
from core.broadcast import bus
from core.database import AWAY, in_database

log = structlog.get_logger(__name__)

# How often to look: news travels over Redis, or does not travel at all.
WITH_NEWS_SECONDS = 10.0
WITHOUT_NEWS_SECONDS = 1.0
# How long pages may take to be told to go elsewhere; some take nothing at the moment.
GOODBYE_SECONDS = 1.0


class Page(Protocol):
    """An open page on one conversation."""

    session_id: UUID
    session_key: str | None

    @property
    def is_watching(self) -> bool: ...

    def compare(self, now: Standing | None) -> None:
        """Catch up with how the conversation stands; None: it is not there for this page any more.

        Returns at once: one that takes nothing at the moment keeps no others waiting.
        """

    async def restart(self) -> None:
        """Go elsewhere: this process ends."""


_pages: set[Page] = set()
_patrol: asyncio.Task[None] | None = None


def join(page: Page) -> None:
    global _patrol  # noqa: PLW0603 - one a process
    _pages.add(page)
    if _patrol is None or _patrol.done():
        _patrol = spawn(_look_around(), name="presence")


def leave(page: Page) -> None:
    _pages.discard(page)


async def send_away(*, idle_only: bool) -> None:
    """Tell pages to connect elsewhere; with `idle_only` those that watch no running reply."""
    pages = [page for page in tuple(_pages) if not (idle_only and page.is_watching)]
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            await asyncio.gather(*(page.restart() for page in pages), return_exceptions=True)


async def _look_around() -> None:
    while _pages:
        await _until_next_look()
        try:
            await _look(tuple(_pages))
        except AWAY as error:
            log.warning("open pages not checked", error=type(error).__name__)
        except Exception:
            log.exception("open pages not checked")


async def _until_next_look() -> None:
    """Some time; less while there is no news, and no more once it came back or stayed away."""
    had_news, began = bus().reaches_others, time.monotonic()
    while time.monotonic() - began < (WITH_NEWS_SECONDS if had_news else WITHOUT_NEWS_SECONDS):
        await asyncio.sleep(WITHOUT_NEWS_SECONDS)
        if bus().reaches_others != had_news:
            return


async def _look(pages: Collection[Page]) -> None:
    seen = await in_database(
        access.standings,
        session_ids={page.session_id for page in pages},
        session_keys={page.session_key for page in pages if page.session_key},
    )
    for page in pages:
        signed_in = page.session_key in seen.signed_in
        page.compare(seen.sessions.get(page.session_id) if signed_in else None)
