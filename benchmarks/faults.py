"""Students chat while everything breaks; afterwards nothing may be lost, doubled, stuck or out of order.

    python -m benchmarks.faults [--setup sqlite|postgres|both] [--faults 200] [--students 20] [--seed N]
        [--servers daphne uvicorn]

`postgres` is two web processes on a PostgreSQL and a Redis of their own; `sqlite` is one web process on a file. Replies
come from the fake model server. Faults come at random, from the seed: a web process is killed (and started again), or
frozen for up to twice its lease; the database is restarted, in good order or by a crash (SQLite: locked by somebody
else); Redis is restarted; sockets are dropped; questions are sent twice. Students behave as the page does: they keep
what was not acknowledged and send it again with the same id, reconnect, and watch. Half of the students have a second
page open.

A silence is the time in which a page that waits for tokens gets none; what is longer than `SILENCE_SECONDS` counts as
time to recover. The exit code is 1 when a promise was broken.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.fault_audit import PROMISES, audit, is_kept
from benchmarks.fault_kinds import break_things
from benchmarks.fault_stage import WORDS, Stage
from benchmarks.fault_students import Ledger, Student, Viewer
from benchmarks.processes import SERVERS
from benchmarks.report import RESULTS, ROOT

# After the last fault everything has this long to come to rest.
REST_SECONDS = 90.0


async def play(setup: str, options: argparse.Namespace, folder: Path, postgres: Any) -> dict[str, Any]:
    from tests.fakes.scenarios import words

    dice = random.Random(options.seed)
    stage = await asyncio.to_thread(
        Stage, setup, folder, postgres=postgres, lease_seconds=options.lease, asgi_servers=options.servers
    )
    try:
        cast = await asyncio.to_thread(enrol, options.students)
        await stage.up()
        ledger, until = Ledger(), asyncio.Event()
        students = [
            Student(stage, ledger, number, session_id, cookie, dice)
            for number, (session_id, cookie) in enumerate(cast, start=1)
        ]
        viewers = [
            Viewer(stage, ledger, 1000 + number, session_id, cookie, dice)
            for number, (session_id, cookie) in enumerate(cast[::2])
        ]
        began = time.monotonic()
        lives = [asyncio.create_task(one.live(until)) for one in (*students, *viewers)]
        faults = await break_things(stage, students, options.faults, dice)
        until.set()
        _, late = await asyncio.wait(lives, timeout=REST_SECONDS)
        for task in late:
            task.cancel()
        ledger.stuck = [student.name for student in students if not student.over]
        seconds = time.monotonic() - began
        for task in lives:
            if task not in late:
                task.result()
        found = await asyncio.to_thread(audit, ledger, "".join(words(WORDS)))
        return {
            "setup": setup,
            "seed": options.seed,
            "students": options.students,
            "lease_seconds": options.lease,
            "seconds": round(seconds, 1),
            "faults": faults,
            "process_start_seconds_mean": round(statistics.fmean(stage.starts), 2) if stage.starts else None,
            **found,
            "unexpected_errors_logged": stage.tracebacks(),
        }
    finally:
        stage.end()


def enrol(students: int) -> list[tuple[str, str]]:
    """That many people with a conversation each: (session id, Cookie header)."""
    from django.contrib.auth.models import User

    from chats.services import sessions
    from tests.servers import cookies

    cast = []
    for number in range(students):
        user = User.objects.create_user(f"student{number}")
        cast.append((str(sessions.create(user=user)[0].pk), cookies(user)))
    return cast


def prepare(url: str, folder: Path) -> None:
    """Point Django at the new database of this run, and make its tables."""
    os.environ.update(
        {
            "ENV_FILE": os.devnull,
            "DEBUG": "true",
            "SECRET_KEY": "only-for-benchmarks-" + "0" * 50,
            "DATABASE_URL": url,
            "REDIS_URL": "",
            "MEDIA_ROOT": f"{folder}/media",
            "LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "studybuddy.settings",
        }
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def run(setup: str, options: argparse.Namespace) -> dict[str, Any]:
    from tests import services

    with tempfile.TemporaryDirectory(prefix="studybuddy-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        postgres = services.Postgres() if setup == "postgres" else None
        try:
            prepare(postgres.url("postgres") if postgres else f"sqlite:///{folder}/faults.sqlite3", folder)
            result = asyncio.run(play(setup, options, folder, postgres))
            if options.keep_logs:
                Path(options.keep_logs).mkdir(parents=True, exist_ok=True)
                for log in folder.glob("*.log"):
                    (Path(options.keep_logs) / f"{setup}-{log.name}").write_bytes(log.read_bytes())
            return result
        finally:
            if postgres is not None:
                from django.db import connection

                connection.close()
                postgres.end()


def show(result: dict[str, Any]) -> None:
    for name, value in result.items():
        mark = ("  ok" if not value else "  BROKEN") if name in PROMISES else ""
        print(f"{name.replace('_', ' '):28} {value}{mark}")
    print(flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--setup", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--students", type=int, default=20)
    parser.add_argument("--lease", type=int, default=3, help="RUNNER_LEASE_SECONDS")
    parser.add_argument(
        "--servers", nargs="+", choices=SERVERS, default=SERVERS[:1], help="that the web processes run on, in turn"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--output", type=Path, default=RESULTS / "faults.json")
    parser.add_argument("--keep-logs", default="", help="a folder for the logs of the web processes")
    options = parser.parse_args()
    if options.setup == "both":
        # Django is configured once in a process.
        codes = []
        for setup in ("sqlite", "postgres"):
            output = options.output.with_stem(f"{options.output.stem}-{setup}")
            command = [sys.executable, "-m", "benchmarks.faults", *_arguments(options), "--setup", setup]
            codes.append(subprocess.run([*command, "--output", str(output)], cwd=ROOT, check=False).returncode)
        return max(codes)
    from tests.services import missing

    if options.setup == "postgres" and (problem := missing()):
        print(f"Left out: the set-up with PostgreSQL and Redis ({problem}).")
        return 0
    result = run(options.setup, options)
    show(result)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if is_kept(result) else 1


def _arguments(options: argparse.Namespace) -> list[str]:
    numbers = [f"--{name}={getattr(options, name)}" for name in ("faults", "students", "lease", "seed")]
    return [*numbers, "--servers", *options.servers]


if __name__ == "__main__":
    raise SystemExit(main())
