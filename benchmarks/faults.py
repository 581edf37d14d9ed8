"""Students chat while everything breaks; afterwards nothing may be lost, doubled, stuck or out of order.

    python -m benchmarks.faults [--setup sqlite|postgres|both] [--faults 200] [--students 20] [--seed N]

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
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
WORDS, TOKEN_MS = 120, 20
SILENCE_SECONDS = 1.0
UPTIME_SECONDS = 5.0
# After the last fault everything has this long to come to rest.
REST_SECONDS = 90.0
WEIGHTS = {"kill": 3, "freeze": 3, "database": 2, "redis": 2, "drop": 5, "double": 5}
AWAY = (OSError, websockets.WebSocketException, TimeoutError)


@dataclass
class Ledger:
    """What the students were promised and what they saw."""

    acknowledged: dict[tuple[str, str], str] = field(default_factory=dict)  # (session, client id): message id
    disorder: list[str] = field(default_factory=list)
    cut_short: int = 0  # pages that saw more of a reply than the journal had when it was given up
    silences: list[float] = field(default_factory=list)
    finished: int = 0
    stuck: list[str] = field(default_factory=list)


class Stage:
    """The processes of one set-up."""

    def __init__(self, setup: str, folder: Path, lease_seconds: int) -> None:
        from tests import servers, services

        self.setup = setup
        self.folder = folder
        self._servers = servers
        self._settings = {"RUNNER_LEASE_SECONDS": str(lease_seconds), "DAILY_TOKEN_QUOTA": "1000000000"}
        self.lease_seconds = lease_seconds
        self.model = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.openai_server", "--until-stdin-ends"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.model.stdout is not None
        self._settings["OPENAI_BASE_URL"] = f"http://127.0.0.1:{int(self.model.stdout.readline())}/v1"
        self._settings["CHAT_MODEL"] = f"plain:{WORDS}@{TOKEN_MS}"
        self._settings["TITLE_MODEL"] = "plain:3"
        self.redis = services.Redis() if setup == "postgres" else None
        if self.redis is not None:
            self._settings["REDIS_URL"] = self.redis.url
        self.starts: list[float] = []  # seconds that a killed process took to answer again
        self.busy: set[str] = set()  # what is broken at the moment
        self.sites = [servers.start_site(folder, wait=False, **self._settings) for _ in range(self.web_processes)]

    @property
    def web_processes(self) -> int:
        return 2 if self.setup == "postgres" else 1

    async def up(self) -> None:
        for index in range(len(self.sites)):
            await self.answers(index)

    async def answers(self, index: int) -> None:
        await asyncio.to_thread(self._servers.until, lambda: self._servers.answers(self.sites[index]), 120)

    async def kill(self, index: int) -> None:
        site = self.sites[index]
        site.kill(signal.SIGKILL)
        await asyncio.to_thread(site.process.wait)
        began = time.monotonic()
        self.sites[index] = self._servers.start_site(self.folder, port=site.port, wait=False, **self._settings)
        await self.answers(index)
        self.starts.append(time.monotonic() - began)
        # Only a process that came back can be killed again: what is measured is recovery, not a site that is down.
        await asyncio.sleep(UPTIME_SECONDS)

    async def freeze(self, index: int, seconds: float) -> None:
        site = self.sites[index]
        site.kill(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        site.kill(signal.SIGCONT)

    def tracebacks(self) -> list[str]:
        """Last lines of what was logged as unexpected, ours and not the libraries' own complaints of weather."""
        return [
            line
            for log in self.folder.glob("serve-*.log")
            for line in log.read_text(errors="replace").splitlines()
            if "background task failed" in line or "[error" in line
        ]

    def end(self) -> None:
        for site in self.sites:
            site.end()
        assert self.model.stdin is not None
        self.model.stdin.close()
        self.model.wait(10)
        if self.redis is not None:
            self.redis.end()


class Student:
    """Asks one question after the other in one conversation, as the page would."""

    def __init__(self, stage: Stage, ledger: Ledger, number: int, session_id: str, cookie: str, dice: Any) -> None:
        self.stage, self.ledger, self.session_id, self.cookie = stage, ledger, session_id, cookie
        self.name = f"student {number}"
        self.dice = dice
        self.page: Any = None
        self.connected = asyncio.Event()
        self.waiting: str | None = None  # the client id of the question on its way
        self.frame: dict[str, Any] = {}
        self.reply: str | None = None
        self.last_progress = 0.0
        self.over = False

    async def live(self, until: "asyncio.Event") -> None:
        connection = asyncio.create_task(self._stay_connected())
        number = 0
        while not until.is_set():
            number += 1
            await self._ask(f"{self.name} asks question {number}?")
        self.over = True
        connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)

    async def _ask(self, text: str) -> None:
        client_id = str(uuid.uuid4())
        self.frame = {"action": "send", "client_id": client_id, "text": text}
        self.acked, self.ended = asyncio.Event(), asyncio.Event()
        self.waiting, self.reply = client_id, None
        self.last_progress = time.monotonic()
        await self.send()
        while not self.ended.is_set():
            try:
                async with asyncio.timeout(5):
                    await self.ended.wait()
            except TimeoutError:
                # The page sends what was not acknowledged again, and looks whether it missed the end.
                await (self._look() if self.acked.is_set() else self.send())
        self.waiting = None
        self.ledger.finished += 1

    async def send(self) -> None:
        await self.connected.wait()
        page = self.page
        if page is not None and self.frame:
            try:
                await page.connection.send(json.dumps(self.frame))
            except AWAY:
                return

    async def _stay_connected(self) -> None:
        while True:
            site = self.dice.choice(self.stage.sites)
            try:
                await self._connection(site)
            except AWAY:
                pass
            except AssertionError as error:
                self.ledger.disorder.append(f"{self.name}: {error}")
            finally:
                self.page = None
                self.connected.clear()
            await asyncio.sleep(self.dice.uniform(0.1, 0.5))

    async def _connection(self, site: Any) -> None:
        from tests.sockets import Page

        async with websockets.connect(
            site.socket_url(self.session_id),
            additional_headers={"Cookie": self.cookie},
            origin=site.origin,
            open_timeout=5,
            close_timeout=0.2,
            max_size=None,
        ) as connection:
            page = Page(connection)
            async with asyncio.timeout(10):
                await self._heed(page, await page.receive(10))
            self.page = page
            self.connected.set()
            if self.waiting is not None:
                await (self._look() if self.acked.is_set() else self.send())
            silent = 0
            while True:
                try:
                    frame = await page.receive(3)
                except TimeoutError:
                    silent += 1
                    if silent > 2:
                        return  # a process that does not even answer a ping: connect elsewhere
                    await page.send("ping")
                    continue
                silent = 0
                await self._heed(page, frame)

    async def _heed(self, page: Any, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == "ack" and frame["client_id"] == self.waiting:
            self.ledger.acknowledged[self.session_id, frame["client_id"]] = frame["message"]["id"]
            self.acked.set()
            self._progress()
        elif kind in ("reply.delta", "reply.restarted", "reply.started") or (kind == "ready" and frame["reply"]):
            self._progress()
        elif kind == "reply.finished" and self.waiting is not None and self.acked.is_set():
            self._finish(page, frame["message"])
        page.frames = page.frames[-5:]

    def _progress(self) -> None:
        now = time.monotonic()
        if self.waiting is not None and (silence := now - self.last_progress) > SILENCE_SECONDS:
            self.ledger.silences.append(silence)
        self.last_progress = now

    def _finish(self, page: Any, message: dict[str, Any]) -> None:
        question = self.ledger.acknowledged.get((self.session_id, self.waiting or ""))
        if message["parent_id"] != question or self.ended.is_set():
            return
        self._progress()
        if page is not None and not message["content"].startswith(page.text):
            self._note_difference(message, page.text)
        self.ended.set()

    def _note_difference(self, message: dict[str, Any], shown: str) -> None:
        """Note that a final reply does not begin with all that the page saw of it.

        One that was given up after its last attempt was interrupted may be shorter: its process shows tokens before it
        writes them to the journal, and may write nothing more once it was frozen past its lease.
        """
        stored = message["content"]
        if message["state"] == "failed" and message["error_code"] == "interrupted" and shown.startswith(stored):
            self.ledger.cut_short += 1
        else:
            end = f"{message['state']} {message['error_code'] or ''}".strip()
            told = f"{len(shown)} characters shown, {len(stored)} other ones stored ({end})"
            self.ledger.disorder.append(f"{self.name}: {told}")

    async def _look(self) -> None:
        """Load the conversation's end, as a page does that finds no reply running."""
        site = self.dice.choice(self.stage.sites)
        request = urllib.request.Request(
            f"{site.url}/api/sessions/{self.session_id}/messages?limit=2", headers={"Cookie": self.cookie}
        )
        try:
            messages = await asyncio.to_thread(_json, request)
        except AWAY:
            return
        if messages and messages[-1]["role"] == "assistant" and messages[-1]["state"] not in ("queued", "streaming"):
            self._finish(None, messages[-1])


def _json(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.loads(response.read())


class Viewer(Student):
    """A second page on a student's conversation: watches only, and checks the order of what it gets."""

    async def live(self, until: "asyncio.Event") -> None:
        connection = asyncio.create_task(self._stay_connected())
        await until.wait()
        connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)


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
        return _while_busy(stage, what, asyncio.to_thread(POSTGRES.restart, dice.choice(["fast", "immediate"])))
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


POSTGRES: Any = None


async def play(setup: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from tests.fakes.scenarios import words

    dice = random.Random(options.seed)
    stage = await asyncio.to_thread(Stage, setup, folder, options.lease)
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


def audit(ledger: Ledger, whole: str) -> dict[str, Any]:
    """What the database holds, against what was promised."""
    from django.db import connections
    from django.db.models import Count, Sum

    from chats.models import Message, ReplyChunk, Usage

    connections.close_all()  # this thread may have one from before the database was restarted
    questions = Message.objects.filter(role="user")
    stored = {
        (str(session), client_id): str(pk)
        for pk, session, client_id in questions.values_list("pk", "session_id", "client_id")
    }
    doubled = questions.values("session_id", "content").annotate(n=Count("pk")).filter(n__gt=1)
    replies = Message.objects.filter(role="assistant")
    answered_twice = replies.values("parent_id").annotate(n=Count("pk")).filter(n__gt=1)
    silences = sorted(ledger.silences)
    return {
        "questions_acknowledged": len(ledger.acknowledged),
        "replies": dict(replies.values_list("state").annotate(n=Count("pk")).order_by()),
        "failed_after": [
            f"{n} × {code or 'no code'}, attempt {attempt}"
            for code, attempt, n in replies.filter(state="failed")
            .values_list("error_code", "attempt")
            .annotate(n=Count("pk"))
            .order_by("error_code", "attempt")
        ],
        "attempts_beyond_the_first": sum(n - 1 for n in replies.values_list("attempt", flat=True) if n > 1),
        "acknowledged_lost": sum(stored.get(key) != message for key, message in ledger.acknowledged.items()),
        "duplicated": doubled.count() + answered_twice.count(),
        "not_final": replies.running().count(),
        "given_up_shorter_than_shown": ledger.cut_short,
        "order_errors": len(ledger.disorder),
        "order_errors_seen": ledger.disorder[:10],
        "complete_but_not_whole": replies.filter(state="complete").exclude(content=whole).count(),
        "left_in_the_journal": ReplyChunk.objects.exclude(reply__state__in=["queued", "streaming"]).count(),
        "tokens_still_reserved": Usage.objects.aggregate(sum=Sum("reserved_tokens"))["sum"] or 0,
        "students_left_waiting": ledger.stuck,
        "silences": len(silences),
        "recovery_seconds_mean": round(statistics.fmean(silences), 2) if silences else 0,
        "recovery_seconds_p95": round(silences[int(0.95 * (len(silences) - 1))], 2) if silences else 0,
        "recovery_seconds_worst": round(silences[-1], 2) if silences else 0,
    }


PROMISES = (
    "acknowledged_lost",
    "duplicated",
    "not_final",
    "order_errors",
    "complete_but_not_whole",
    "left_in_the_journal",
    "tokens_still_reserved",
    "students_left_waiting",
)


def is_kept(result: dict[str, Any]) -> bool:
    return not any(result[promise] for promise in PROMISES)


def prepare(setup: str, folder: Path) -> None:
    """Point Django at a new database for this run, and make its tables."""
    global POSTGRES  # noqa: PLW0603 - one cluster a run
    url = f"sqlite:///{folder}/faults.sqlite3"
    if setup == "postgres":
        from tests.services import Postgres

        POSTGRES = Postgres()
        url = POSTGRES.url("postgres")
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
    with tempfile.TemporaryDirectory(prefix="studybuddy-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            prepare(setup, folder)
            result = asyncio.run(play(setup, options, folder))
            if options.keep_logs:
                Path(options.keep_logs).mkdir(parents=True, exist_ok=True)
                for log in folder.glob("*.log"):
                    (Path(options.keep_logs) / f"{setup}-{log.name}").write_bytes(log.read_bytes())
            return result
        finally:
            if POSTGRES is not None:
                from django.db import connection

                connection.close()
                POSTGRES.end()


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
    return [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in ("faults", "students", "lease", "seed")]


if __name__ == "__main__":
    raise SystemExit(main())
