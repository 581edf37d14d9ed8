"""This process's claim to run replies: a row with a heartbeat, and a file lock that dies with the process."""

import asyncio
import fcntl
import os
import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection

from chats.services import leases
from core.database import AWAY, in_supervision
from core.ids import uuid7

log = structlog.get_logger(__name__)

BEATS_PER_LEASE = 4
# Between two looks at the others' heartbeats no more than this is usual.
LONGEST_BLINK_SECONDS = 3.0


class Lease:
    """Held while the process lives. `on_lost` is called when another process has taken it."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self.runner_id = uuid7()
        self._on_lost = on_lost
        self._lock: int | None = None
        self._is_enlisted = False
        self._checked = time.monotonic()
        # Asked for each frame: looking it up in the connection of the thread costs more than all the rest.
        self._expires = connection.vendor != "sqlite"

    @property
    def name(self) -> str:
        return f"{self.host} {self.pid}"

    def may_show(self) -> bool:
        """Whether this process can trust that its replies are still its own.

        False after it was frozen for as long as a lease: then the database has to be asked first.
        """
        return not self._expires or time.monotonic() - self._checked < settings.RUNNER_LEASE_SECONDS

    async def take(self) -> None:
        if self._lock is None:
            self._lock = _lock_file(self.runner_id)
        await in_supervision(leases.enlist, runner_id=self.runner_id, host=self.host, pid=self.pid)
        self._is_enlisted = True
        self._checked = time.monotonic()

    async def renew_forever(self) -> None:
        """Beat while the process lives. On SQLite the file lock alone is the lease."""
        if connection.vendor == "sqlite":
            return
        while True:
            await asyncio.sleep(settings.RUNNER_LEASE_SECONDS / BEATS_PER_LEASE)
            try:
                await self.renew()
            except AWAY as error:
                log.warning("heartbeat failed", error=type(error).__name__)
                if self.may_show():
                    self._checked = time.monotonic()  # where the database is away nobody can take the lease either
            except Exception:
                log.exception("heartbeat failed")

    async def renew(self) -> None:
        """Beat once; where the lease was taken meanwhile, let go of all replies and take another."""
        if self._is_enlisted and not await in_supervision(leases.beat, runner_id=self.runner_id):
            log.warning("lease lost", runner=str(self.runner_id))
            self._on_lost()
            self.give_up()
            self.runner_id = uuid7()
            self._is_enlisted = False
        if self._is_enlisted:
            self._checked = time.monotonic()
        else:
            await self.take()

    def give_up(self) -> None:
        _unlock(self._lock, self.runner_id)
        self._lock = None


class Watch:
    """What one process has seen of the others' heartbeats, by its own monotonic clock.

    A heartbeat counts as stopped when its value stood still for a whole lease here, or for half of one while the
    database's clock calls it older than a lease: a clock that jumps, here or there, takes no lease. Nor does time in
    which nobody could look, because the database was away or this process was frozen: nobody could beat then either.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[UUID, tuple[datetime, float]] = {}
        self._looked = clock()

    def look(self) -> None:
        """Say that the heartbeats were read just now."""
        now = self._clock()
        if now - self._looked > max(LONGEST_BLINK_SECONDS, settings.RUNNER_LEASE_SECONDS / 2):
            self._seen = {runner_id: (heartbeat_at, now) for runner_id, (heartbeat_at, _) in self._seen.items()}
        self._looked = now

    def is_dead(self, runner_id: UUID, host: str, heartbeat_at: datetime, age: float) -> bool:
        lock = _lock_state(runner_id)
        if connection.vendor == "sqlite":
            return lock != "held"
        if host == socket.gethostname() and lock == "free":
            return True
        seen, since = self._seen.get(runner_id, (None, 0.0))
        if seen != heartbeat_at:
            self._seen[runner_id] = (heartbeat_at, self._clock())
            return False
        still = self._clock() - since
        lease = settings.RUNNER_LEASE_SECONDS
        return still >= lease or (age >= lease and still >= lease / 2)

    def may_be_dead(self, runner_id: UUID) -> bool:
        """Whether its heartbeat stood still since it was first seen and may yet turn out to have stopped."""
        return _lock_state(runner_id) != "held"

    def forget_all_but(self, runner_ids: set[UUID]) -> None:
        for gone in self._seen.keys() - runner_ids:
            del self._seen[gone]


def _lock_directory() -> Path:
    if connection.vendor == "sqlite":
        return Path(str(settings.DATABASES["default"]["NAME"])).parent / "runners"
    return Path(settings.VAR_DIR) / "runners"


def _lock_file(runner_id: UUID) -> int | None:
    try:
        _lock_directory().mkdir(parents=True, exist_ok=True)
        descriptor = os.open(_lock_directory() / f"{runner_id}.lock", os.O_CREAT | os.O_RDWR)
    except OSError:
        if connection.vendor == "sqlite":
            raise
        return None  # a read-only file system: the heartbeat alone is the lease
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _lock_state(runner_id: UUID) -> str:
    """held, free (its process is gone) or missing (never made here, or given up in good order)."""
    path = _lock_directory() / f"{runner_id}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return "missing"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return "held"
    else:
        return "free"
    finally:
        os.close(descriptor)


def _unlock(descriptor: int | None, runner_id: UUID) -> None:
    if descriptor is not None:
        (_lock_directory() / f"{runner_id}.lock").unlink(missing_ok=True)
        os.close(descriptor)


def sweep_lock_file(runner_id: UUID) -> None:
    """Remove the lock file of a runner that died and whose replies were taken."""
    (_lock_directory() / f"{runner_id}.lock").unlink(missing_ok=True)
