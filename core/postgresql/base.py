"""Django's PostgreSQL with fewer round trips for each piece of work.

A connection from the pool is asked whether it is alive only where there is a doubt. A server that ended a connection
has said so on its socket; one that was cut off in silence is found out after a while.

A transaction's BEGIN goes to the server with its first statements, and its COMMIT with its last where these are known
to be the last: see `core.statements.together`.
"""

import select
import time
from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.postgresql import base
from django.db.backends.utils import debug_transaction
from django.db.transaction import TransactionManagementError
from psycopg_pool import ConnectionPool, PoolTimeout

TRUSTED_SECONDS = 5.0

_used_at: MutableMapping["psycopg.Connection[Any]", float] = WeakKeyDictionary()


class DatabaseWrapper(base.DatabaseWrapper):
    connection: "psycopg.Connection[Any]"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_to_begin = False
        self._has_said_commit = False

    def get_new_connection(self, conn_params: dict[str, Any]) -> "psycopg.Connection[Any]":
        pool: ConnectionPool | None = self.pool
        begun = time.monotonic()
        while True:
            found: psycopg.Connection[Any] = super().get_new_connection(conn_params)
            if pool is None or _is_alive(found):
                _used_at[found] = time.monotonic()
                return found
            found.close()
            pool.putconn(found)  # which puts a new one in its place
            if time.monotonic() - begun > pool.timeout:
                raise PoolTimeout("no connection of the pool is alive")

    def create_cursor(self, name: str | None = None) -> Any:
        self.begin_if_due()
        cursor = super().create_cursor(name)
        if name:
            cursor._withhold = self.get_autocommit()  # noqa: SLF001 - Django asks the connection, which always says yes
        return cursor

    def validate_no_broken_transaction(self) -> None:
        """What every cursor calls before a statement, also one that was made before the transaction."""
        super().validate_no_broken_transaction()
        self.begin_if_due()

    def begin_if_due(self) -> None:
        """Send the BEGIN of a transaction that has sent nothing yet; within a pipeline, without waiting for it."""
        if self._has_said_commit:
            raise TransactionManagementError("The transaction has sent its last statements.")
        if self._is_to_begin:
            with debug_transaction(self, "BEGIN"), self.wrap_database_errors:
                # Its own words for it, with the isolation level of the settings.
                self.connection.execute(self.connection._get_tx_start_command())  # noqa: SLF001
            self._is_to_begin = False

    def commit_along(self) -> None:
        """Send COMMIT now, within a pipeline, if the outermost `atomic` block would send it next."""
        is_outermost = self.in_atomic_block and self.commit_on_exit and not self.savepoint_ids
        if is_outermost and not self.needs_rollback and not self._is_to_begin:
            self.connection.execute("COMMIT")
            self._has_said_commit = True

    def _start_transaction_under_autocommit(self) -> None:
        # The connection itself stays in autocommit mode: else it would send its own BEGIN, and wait for the answer.
        self._is_to_begin = True

    def _commit(self) -> None:
        self._end_transaction()
        super()._commit()  # type: ignore[misc]  # sends nothing where there is no transaction

    def _rollback(self) -> None:
        self._end_transaction()
        super()._rollback()  # type: ignore[misc]

    def _close(self) -> None:
        self._end_transaction()
        super()._close()  # type: ignore[misc]

    def _end_transaction(self) -> None:
        self._is_to_begin = self._has_said_commit = False


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
