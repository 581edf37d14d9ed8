"""Threads of asynchronous tests that keep no database connection.

`asyncio.to_thread` works on threads that end with the test's event loop. A connection that one of them still held
would not go back to the pool, and after some tests the pool would be empty.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.db import connections


class ReleasingExecutor(ThreadPoolExecutor):
    """Closes what a piece of work opened, when that piece is done."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(_released, fn, *args, **kwargs)


def _released(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return fn(*args, **kwargs)
    finally:
        connections.close_all()


def event_loop() -> asyncio.AbstractEventLoop:
    """A new event loop with such threads."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ReleasingExecutor(thread_name_prefix="test"))
    return loop
