"""Whose conversations a framework means, and how its calls reach the database from wherever it makes them."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection

from chats.services.owners import Called, Owner, Whose
from core.database import in_database, release_connections
from core.text import is_storable

P = ParamSpec("P")
T = TypeVar("T")

INSTALL = "pip install -r requirements-integrations.txt"

Who = AbstractBaseUser | str | int | None

_aside = ThreadPoolExecutor(max_workers=4, thread_name_prefix="integrations")


def whose(user: Who) -> Whose:
    """Whose sessions `user` means: an account or, by username or primary key, whoever bears the name.

    Anybody else is kept by name on the inactive account `integrations`: their sessions are theirs alone all the same.
    Raises Invalid for a name that can't be kept.
    """
    return Owner(user) if isinstance(user, AbstractBaseUser) else Called("" if user is None else str(user))


def dumps(value: Any, encoder: type[json.JSONEncoder] | None = None) -> str:
    """`value` as JSON text that any text column can hold and that reads back as the same value."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), cls=encoder)
    return text if is_storable(text) else json.dumps(value, separators=(",", ":"), cls=encoder)


def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` for sync code, wherever that stands.

    Django refuses database work on a thread that runs an event loop, as a notebook's does: there it is done aside.
    A connection that was not open before is given back, since nobody ends a request for it.
    """
    call = partial(function, *args, **kwargs)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _returning(call)
    return _aside.submit(_returning, call).result()


def _returning(call: Callable[[], T]) -> T:
    if connection.connection is not None:
        return call()
    try:
        return call()
    finally:
        release_connections()


async def arun(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` on a thread for database work."""
    return await in_database(function, *args, **kwargs)


async def settled(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same for what changes something: a caller that is cancelled meanwhile learns so only once it is done."""
    return await _settle(in_database(function, *args, **kwargs))


async def _settle(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen: the cancellation is what the caller asked about
        raise cancelled
    return task.result()
