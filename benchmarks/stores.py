"""What a turn and a list cost in each framework's store here, beside the frameworks' own and a JSON blob per chat.

Run `python -m benchmarks.stores`, with `--postgres postgres://…/a_database_of_its_own` to measure there too, and
`--quick` for a look. The frameworks' own SQL stores take part where SQLAlchemy and its async drivers are installed
(`pip install --require-hashes -r requirements-bench.txt`); without them they are named as left out.

A turn is two messages of 1 kB appended in one call, then the newest 20 read: wall-clock milliseconds, the median of the
turns measured at each length and their fastest tenth. An Agno agent's turn is a whole `Agent.run` with a model that
answers at once. The database's statistics are brought up to date before each measurement. Each database is measured in
a process of its own, in conversations that are new. Results go to `benchmarks/results/stores.json`.
"""

import argparse
import asyncio
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.store_kinds import LAST, RUN, AgentTurns, Blob, Conversations, Histories, Runs, Session, Store

ROOT = Path(__file__).resolve().parent.parent
LENGTHS = [10, 100, 1_000, 10_000]
TURNS = 30
# As in production: with DEBUG on Django keeps and formats every statement, which costs more than many of them.
SITE = {"DEBUG": "false", "SECRET_KEY": "for-measuring-only" * 4, "ALLOWED_HOSTS": "localhost", "ENV_FILE": os.devnull}
LISTED = 10_000


def stores(user: Any, scratch: str, postgres: str | None) -> tuple[list[Store], list[str]]:
    """What is there to be measured, and what is left out for want of a package."""
    from agents.memory import SQLiteSession
    from agno.db.in_memory import InMemoryDb
    from pydantic_ai.conversation_store import InMemoryConversationStore

    from chats.integrations.agno import DjangoDb
    from chats.integrations.openai_agents import DjangoSession
    from chats.integrations.pydantic_ai import DjangoConversationStore

    found: list[Store] = [
        Session("Agents SDK: DjangoSession", DjangoSession("bench sdk", user=user)),
        Histories(user),
        Conversations("PydanticAI: DjangoConversationStore", DjangoConversationStore(user=user)),
        Conversations("PydanticAI: the same turn with no database", InMemoryConversationStore()),
        Runs("Agno: DjangoDb", DjangoDb(), user.username),
        AgentTurns("Agno: an agent's turn on DjangoDb", DjangoDb(), "bench agent"),
        AgentTurns("Agno: the same turn with no database", InMemoryDb(), "bench agent"),
        Blob(),
    ]
    if postgres is None:
        found.append(Session("Agents SDK: its SQLiteSession", SQLiteSession("bench", f"{scratch}/sdk.sqlite3")))
    needed = ["sqlalchemy", "asyncpg" if postgres else "aiosqlite"]
    if missing := [name for name in needed if find_spec(name) is None]:
        return found, [f"the frameworks' own SQL stores ({', '.join(missing)} not installed)"]
    return found + _their_own(scratch, postgres), []


def _their_own(scratch: str, postgres: str | None) -> list[Store]:
    from agents.extensions.memory import SQLAlchemySession

    if postgres:
        from agno.db.postgres import PostgresDb

        rest = postgres.split("://", 1)[1]
        url, agno = f"postgresql+asyncpg://{rest}", lambda: PostgresDb(db_url=f"postgresql+psycopg://{rest}")
    else:
        from agno.db.sqlite import SqliteDb

        url = f"sqlite+aiosqlite:///{scratch}/sqlalchemy.sqlite3"
        names = iter(["one", "two"])
        agno = lambda: SqliteDb(db_file=f"{scratch}/agno-{next(names)}.sqlite3")  # noqa: E731
    name = type(agno()).__name__
    return [
        Session(
            "Agents SDK: its SQLAlchemySession", SQLAlchemySession.from_url(f"bench {RUN}", url=url, create_tables=True)
        ),
        AgentTurns(f"Agno: an agent's turn on its {name}", agno(), "bench agent"),
    ]


async def measured(store: Store, lengths: list[int], turns: int) -> list[tuple[float, float]]:
    """The milliseconds of a turn at each length: the median, and the fastest tenth, which others disturbed least."""
    found, filled = [], 0
    for length in lengths:
        await store.fill(length - filled)
        await asyncio.to_thread(analyze)
        times = []
        for _ in range(turns):
            began = time.perf_counter()
            await store.turn()
            await store.newest()
            times.append((time.perf_counter() - began) * 1000)
        filled = length + 2 * turns
        found.append((statistics.median(times), statistics.quantiles(times, n=10)[0]))
    return found


def analyze() -> None:
    """Let the database count what it has: in time autovacuum does so, and not within a benchmark."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    connection.close()


def listed(user: Any, count: int) -> float:
    """The median milliseconds of listing the 20 newest of `count` sessions as Agno does."""
    from chats.integrations.agno import DjangoDb
    from chats.models import AgentState, ChatSession

    now = time.time()
    rows = ChatSession.objects.bulk_create(
        [ChatSession(user=user, external_id=f"listed {number}", title=f"Talk {number}") for number in range(count)],
        batch_size=1000,
    )
    AgentState.objects.bulk_create(
        [
            AgentState(
                session=row, framework="agno", kind="agent", agent_id="bench", scope=user.username,
                created_at=int(now), updated_at=int(now), saved_at=row.created_at,
            )
            for row in rows
        ],
        batch_size=1000,
    )  # fmt: skip
    analyze()
    db, times = DjangoDb(), []
    for _ in range(20):
        began = time.perf_counter()
        page, total = db.get_sessions(
            user_id=user.username, limit=20, page=1, sort_by="updated_at", deserialize=False, include_runs=False
        )
        times.append((time.perf_counter() - began) * 1000)
        assert len(page) == 20
        assert total >= count
    return statistics.median(times)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the database that DATABASE_URL names, in this process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studybuddy.settings")
    import django

    django.setup()
    logging.disable(logging.WARNING)
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    User.objects.filter(username__in=["bench", "integrations"]).delete()
    user = User.objects.create_user("bench")
    lengths = LENGTHS[:3] if options.quick else LENGTHS
    with tempfile.TemporaryDirectory() as scratch:
        found, left_out = stores(user, scratch, options.postgres)
        turns = {store.name: asyncio.run(measured(store, lengths, TURNS)) for store in found}
        listing = listed(user, LISTED // 10 if options.quick else LISTED)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bench_blob")
    return {"lengths": lengths, "turn_ms": turns, "list_ms": listing, "left_out": left_out}


def in_a_process_of_its_own(url: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.stores", "--measure", *(["--quick"] if options.quick else [])]
    if url.startswith("postgres"):
        command += ["--postgres", url]
    environment = {**os.environ, "DATABASE_URL": url, **SITE}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def show(database: str, result: dict[str, Any]) -> None:
    print(f"\n{database}: milliseconds of a turn (2 × 1 kB appended, the newest {LAST} read)")
    print(f"median of {TURNS} turns / their fastest tenth")
    print(f"{'messages':44}" + "".join(f"{length:>16,}" for length in result["lengths"]))
    for name, turns in result["turn_ms"].items():
        print(f"{name:44}" + "".join(f"{f'{median:.1f}/{tenth:.1f}':>16}" for median, tenth in turns))
    print(f"{'the 20 newest sessions, as Agno lists them':44}{result['list_ms']:10.2f}")
    for reason in result["left_out"]:
        print(f"left out: {reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--postgres", default=os.environ.get("BENCH_POSTGRES_URL"), help="a database of its own")
    parser.add_argument("--quick", action="store_true", help="up to 1,000 messages and sessions")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        urls = {"SQLite": f"sqlite:///{scratch}/bench.sqlite3"}
        if options.postgres:
            urls["PostgreSQL"] = options.postgres
        results = {}
        for database, url in urls.items():
            results[database] = in_a_process_of_its_own(url, options)
            show(database, results[database])
        if not options.postgres:
            print("\nleft out: PostgreSQL (name a database of its own with --postgres)")
    path = ROOT / "benchmarks" / "results" / "stores.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
