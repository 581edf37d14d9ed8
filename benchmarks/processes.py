"""The processes of a benchmark, what they use, and the databases that they run on."""

import contextlib
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil

from benchmarks.report import ROOT

LOCAL_POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
START_SECONDS = 60
SERVERS = ("daphne", "uvicorn")  # what `ASGI_SERVER` can name, its default first
# Packages that only tests need are found and imported by some that the site needs.
SITE_PYTHON = os.environ.get("SITE_PYTHON") or sys.executable


@dataclass
class Running:
    """A process that was started here, and where it listens."""

    process: subprocess.Popen[str]
    port: int

    def cpu_seconds(self) -> float:
        """What all its threads used so far, in user and in kernel mode."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def memory_kb(self) -> float:
        """Resident memory."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 1000)

    def own_memory_kb(self) -> float:
        """What of it is not pages of files, which the kernel keeps once for all processes and can drop."""
        found = psutil.Process(self.process.pid).memory_info()
        return float((found.rss - found.shared) / 1000)

    def end(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def allow_many_files() -> None:
    """Two sockets a stream in one process: let the processes started from here open them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def running(*command: str, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """Run a Python process that prints its port as its first line."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.strip().isdecimal(), f"{command[0:3]} did not start: {line}"
    started = Running(process, int(line))
    try:
        yield started
    finally:
        started.end()


@contextlib.contextmanager
def model_server(*, token_ms: float, first_ms: float = 0.0) -> Iterator[Running]:
    """The fake model server; each token is the time at which it was sent."""
    timing = ["--token-ms", str(token_ms), "--first-ms", str(first_ms)]
    with running("-m", "tests.fakes.openai_server", "--stamp", "--until-stdin-ends", *timing) as server:
        yield server


def base_url(model: Running) -> str:
    return f"http://127.0.0.1:{model.port}/v1"


@dataclass(frozen=True)
class Database:
    """A database of its own for one benchmark, empty at first."""

    name: str  # SQLite or PostgreSQL
    url: str
    folder: Path  # for the site's files

    def commits(self) -> float | None:
        """Transactions committed in it so far; None where nobody counts them."""
        if self.name == "SQLite":
            return None
        import psycopg

        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            found = row.fetchone()
        return float(found[0]) if found else None


def postgres_url() -> str | None:
    """Where a PostgreSQL can be reached: TEST_DATABASE_URL, else the local default; None where there is none."""
    import psycopg

    url = os.environ.get("TEST_DATABASE_URL") or LOCAL_POSTGRES
    url = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        print("PostgreSQL is not reachable: left out. TEST_DATABASE_URL says where one is.")
        return None
    return url


@contextlib.contextmanager
def database(name: str) -> Iterator[Database]:
    """A new database, removed afterwards. PostgreSQL must be reachable."""
    with tempfile.TemporaryDirectory(prefix="studybuddy-bench-") as path:
        folder = Path(path)
        if name == "SQLite":
            yield Database(name, f"sqlite:///{folder}/site.sqlite3", folder)
        else:
            with scratch_database() as url:
                yield Database(name, url, folder)


@contextlib.contextmanager
def scratch_database() -> Iterator[str]:
    import psycopg

    server = postgres_url()
    assert server, "PostgreSQL went away"
    scratch = f"studybuddy_bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {scratch}")
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{scratch}"))
        finally:
            connection.execute(f"DROP DATABASE {scratch} WITH (FORCE)")


def environment(database: Database, model: Running, model_name: str) -> dict[str, str]:
    """A site's settings as in production, but without TLS."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "only-for-this-benchmark-" + "0" * 40,
        "DATABASE_URL": database.url,
        "OPENAI_BASE_URL": base_url(model),
        "OPENAI_API_KEY": "none",
        "CHAT_MODEL": model_name,
        "MEDIA_ROOT": str(database.folder / "media"),
        "LOG_LEVEL": "WARNING",
        "SHUTDOWN_GRACE_SECONDS": "0",
        "PYTHONWARNINGS": "ignore",
    }


def seed(settings: dict[str, str], count: int) -> list[dict[str, str]]:
    """Make `count` students with a conversation each; see `benchmarks.seed`."""
    command = [sys.executable, "-m", "benchmarks.seed", str(count)]
    done = subprocess.run(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, check=True)
    people: list[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return people


def site_name(database: str, server: str) -> str:
    """What a site is called in the tables."""
    return ", ".join(["site", database, *([server] if server != SERVERS[0] else [])])


@contextlib.contextmanager
def site(settings: dict[str, str], *, on: str = SERVERS[0], on_one_cpu: bool = False) -> Iterator[Running]:
    """`manage.py serve` on a free port, on the server of that name, on the last CPU alone if so asked."""
    with socket(AF_INET, SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [SITE_PYTHON, "manage.py", "serve", "--port", str(port)]
    environment = {**settings, "ASGI_SERVER": on}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, text=True)
    started = Running(process, port)
    try:
        if on_one_cpu:
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        _wait_until_it_answers(started)
        yield started
    finally:
        started.end()


def _wait_until_it_answers(started: Running) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert started.process.poll() is None, "the site ended"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{started.port}/health"):
            return
        assert time.monotonic() < deadline, "the site did not start"
        time.sleep(0.1)


def targets(port: int, people: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The sockets of people's conversations."""
    return [{"url": f"ws://127.0.0.1:{port}/ws/chats/{each['session']}/", "cookie": each["cookie"]} for each in people]
