"""A connection from the pool is asked whether it is alive only where there is a doubt.

Each piece of work takes one and gives it back, so that a question each time would be a fourth of all that is asked. A
server that ended a connection has said so on its socket; one that was cut off in silence is found out after a while.
"""

import select
import time
from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

TRUSTED_SECONDS = 5.0

_used_at: MutableMapping["psycopg.Connection[Any]", float] = WeakKeyDictionary()


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> "psycopg.Connection[Any]":
        pool: ConnectionPool | None = self.pool
        while True:
            found: psycopg.Connection[Any] = super().get_new_connection(conn_params)
            if pool is None or _is_alive(found):
                _used_at[found] = time.monotonic()
                return found
            found.close()
            pool.putconn(found)  # which puts a new one in its place


def _is_alive(found: "psycopg.Connection[Any]") -> bool:
    if found.closed:
        return False
    trusted = time.monotonic() - _used_at.get(found, 0.0) < TRUSTED_SECONDS
    if trusted and not _has_news(found):
        return True
    try:
        ConnectionPool.check_connection(found)
    except psycopg.Error:
        return False
    return True


def _has_news(found: "psycopg.Connection[Any]") -> bool:
    """Whether the server has sent something unasked: its end, mostly."""
    waiting = select.poll()
    waiting.register(found.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
