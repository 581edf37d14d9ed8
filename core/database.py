"""Database work from async code, on bounded pools of threads.

Channels' own bridge runs all ORM work of a process on one thread; these run it on a few. `in_database` serves doors,
`in_supervision` the work that keeps replies alive, so that a rush of requests can't delay a heartbeat.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connections

P = ParamSpec("P")
T = TypeVar("T")

SUPERVISION_THREADS = 2
# What a database raises while it is away, full or locked, or when it ended the transaction of a process that froze in
# it (InternalError): worth trying again, unlike a mistake in what was written.
AWAY = (OperationalError, InterfaceError, InternalError)

_executors: dict[str, ThreadPoolExecutor] = {}


async def in_database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` on a thread for database work and return what it returns."""
    return await _run("request", settings.DATABASE_THREADS, partial(function, *args, **kwargs))


async def in_supervision(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same on the threads kept free for leases, the journal and the ends of replies."""
    return await _run("supervision", SUPERVISION_THREADS, partial(function, *args, **kwargs))


async def _run(name: str, threads: int, call: Callable[[], T]) -> T:
    if name not in _executors:
        _executors[name] = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=f"database-{name}")
    # In the caller's context: what is logged on the thread bears the ids that the caller has bound.
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(_executors[name], context.run, _released, call)


def _released(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        release_connections()


def release_connections() -> None:
    """Give this thread's connections back to the pool. A healthy SQLite one stays: opening costs more than keeping."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            continue
        if connection.vendor != "sqlite" or connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()
