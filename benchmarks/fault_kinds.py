"""What is broken while students chat, and how it is mended."""

import asyncio
import time
from typing import Any

from benchmarks.fault_stage import Stage
from benchmarks.fault_students import Student

WEIGHTS = {"kill": 3, "freeze": 3, "database": 2, "redis": 2, "drop": 5, "double": 5}


async def break_things(stage: Stage, students: list[Student], faults: int, dice: Any) -> dict[str, int]:
    """So many faults, one after the other, some at the same time; returns how many of which kind."""
    done: dict[str, int] = {}
    healing: set[asyncio.Task[None]] = set()
    kinds = [kind for kind in WEIGHTS if stage.setup == "postgres" or kind != "redis"]
    first = dice.sample(kinds, len(kinds))  # each kind once, whatever the dice say later
    for number in range(faults):
        kind = first[number] if number < len(first) else dice.choices(kinds, [WEIGHTS[name] for name in kinds])[0]
        while (fault := _fault(kind, stage, students, dice)) is None:
            kind = dice.choices(kinds, [WEIGHTS[name] for name in kinds])[0]
            await asyncio.sleep(0.05)
        done[kind] = done.get(kind, 0) + 1
        task = asyncio.create_task(fault)
        healing.add(task)
        task.add_done_callback(healing.discard)
        await asyncio.sleep(dice.uniform(0.2, 2.0))
    await asyncio.gather(*healing)
    return done


def _fault(kind: str, stage: Stage, students: list[Student], dice: Any) -> Any:
    """The fault as a coroutine that ends when it is mended; None when it can't happen just now."""
    index = dice.randrange(len(stage.sites))
    victims = dice.sample(students, k=min(len(students), dice.randint(1, 5)))
    if kind == "drop":
        return _drop(victims)
    if kind == "double":
        return _double(victims)
    what = f"web {index}" if kind in ("kill", "freeze") else kind
    if what in stage.busy:
        return None
    stage.busy.add(what)
    if kind == "kill":
        return _while_busy(stage, what, stage.kill(index))
    if kind == "freeze":
        return _while_busy(stage, what, stage.freeze(index, dice.uniform(0.2, 2 * stage.lease_seconds)))
    if kind == "redis":
        return _while_busy(stage, what, _restart_redis(stage, dice.uniform(0, 3)))
    if stage.setup == "postgres":
        return _while_busy(stage, what, asyncio.to_thread(stage.postgres.restart, dice.choice(["fast", "immediate"])))
    return _while_busy(stage, what, asyncio.to_thread(_lock_sqlite, dice.uniform(0.2, 3)))


async def _while_busy(stage: Stage, what: str, fault: Any) -> None:
    try:
        await fault
    finally:
        stage.busy.discard(what)


async def _drop(victims: list[Student]) -> None:
    for student in victims:
        if student.page is not None:
            student.page.connection.transport.abort()


async def _double(victims: list[Student]) -> None:
    for student in victims:
        await student.send()


async def _restart_redis(stage: Stage, seconds: float) -> None:
    assert stage.redis is not None
    await asyncio.to_thread(stage.redis.stop)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(stage.redis.start)


def _lock_sqlite(seconds: float) -> None:
    import sqlite3

    from django.db import connection

    locking = sqlite3.connect(connection.settings_dict["NAME"], timeout=20, isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)
    locking.execute("ROLLBACK")
    locking.close()
