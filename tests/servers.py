"""The site as it really runs: `manage.py serve` processes on the test's own database."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from chats.models import Message, Runner
from chats.services.stopping import request_stop
from tests.services import free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
GATED = "gated:5"
SERVERS = ("daphne", "uvicorn")
"""What `ASGI_SERVER` can name."""


@dataclass
class Site:
    """A running web process."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    logged: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return self.url

    def socket_url(self, session_id: object) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/chats/{session_id}/"

    def new_log(self) -> str:
        return self.log.read_bytes()[self.logged :].decode()

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def database_url() -> str:
    """The URL of the test's own database."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    password = f":{values['PASSWORD']}" if values["PASSWORD"] else ""
    port = values["PORT"] or 5432
    return f"postgres://{values['USER']}{password}@{values['HOST'] or '127.0.0.1'}:{port}/{values['NAME']}"


def start_site(tmp_path: Path, *, port: int | None = None, wait: bool = True, **settings: str) -> Site:
    """Start `manage.py serve` with `settings` in its environment and wait until it answers."""
    port = port or free_port()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "ENV_FILE": os.devnull,
        "DEBUG": "true",
        "SECRET_KEY": os.environ["SECRET_KEY"],
        "DATABASE_URL": database_url(),
        "DATABASE_POOL_SIZE": "8",
        "REDIS_URL": os.environ.get("REDIS_URL", ""),
        "ASGI_SERVER": os.environ.get("ASGI_SERVER", "daphne"),
        "MEDIA_ROOT": os.environ["MEDIA_ROOT"],
        "LOG_LEVEL": "WARNING",
        "SHUTDOWN_GRACE_SECONDS": "1",
        # Tests empty the tables: a heartbeat at such a moment would find its lease gone, so none comes within a run.
        # Tests of leases set their own.
        "RUNNER_LEASE_SECONDS": "100000",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
    log = tmp_path / f"serve-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    site = Site(port, process, log)
    if wait:
        until(lambda: answers(site), START_SECONDS, what=f"the site to start:\n{log.read_text()}")
    return site


def answers(site: Site) -> bool:
    assert site.process.poll() is None, site.log.read_text()
    try:
        with urllib.request.urlopen(f"{site.url}/health", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def until(condition: Callable[[], Any], seconds: float = 20, *, what: str = "the condition") -> Any:
    """Wait until `condition()` is true and return it; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def cookies(user: User) -> str:
    """A signed-in browser's Cookie header."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


@contextmanager
def running_site(tmp_path: Path, **settings: str) -> Iterator[Site]:
    site = start_site(tmp_path, **settings)
    try:
        yield site
    finally:
        site.end()


class Fleet:
    """The web processes of one test run, started on first use and kept: starting one takes seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sites: dict[str, tuple[Site, list[Runner]]] = {}

    def get(self, name: str, **settings: str) -> Site:
        if name not in self._sites:
            before = set(Runner.objects.values_list("pk", flat=True))
            site = start_site(self._folder, **settings)
            until(lambda: Runner.objects.exclude(pk__in=before).exists(), what="the process to enlist")
            self._sites[name] = (site, list(Runner.objects.exclude(pk__in=before)))
        # Every test ends with empty tables; the processes live on, and so must their leases.
        for _, runners in self._sites.values():
            Runner.objects.bulk_create(runners, ignore_conflicts=True)
        site = self._sites[name][0]
        assert site.process.poll() is None, site.log.read_text()
        site.logged = site.log.stat().st_size
        return site

    @property
    def sites(self) -> list[Site]:
        """All processes on this database: any of them may make a reply that was asked for at another."""
        return [site for site, _ in self._sites.values()]

    def end(self) -> None:
        for site in self.sites:
            site.end()
        self._sites.clear()


@pytest.fixture(scope="session")
def fleet(django_db_setup: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    started = Fleet(tmp_path_factory.mktemp("sites"))
    yield started
    started.end()


@pytest.fixture
def site(transactional_db: Any, fleet: Fleet) -> Iterator[Site]:
    """A web process with the built-in tutor, on this test's database."""
    yield from clean(fleet.get("tutor"))


@pytest.fixture
def model_site(transactional_db: Any, fleet: Fleet, model_server: Any) -> Iterator[Site]:
    """The same with the fake model server's plain reply behind it."""
    yield from clean(fleet.get("model", OPENAI_BASE_URL=model_server.base_url, CHAT_MODEL="plain:20@5"))


@pytest.fixture
def gated_site(transactional_db: Any, fleet: Fleet, model_server: Any) -> Iterator[Site]:
    """The same with a model that says five words and waits: `model_server.release(GATED)` lets it go on."""
    silence = {"STREAM_COMMENT_MS": "200"}  # streams are kept open by a comment as often
    models = {"OPENAI_BASE_URL": model_server.base_url, "CHAT_MODEL": GATED, "TITLE_MODEL": "plain:3"}
    yield from clean(fleet.get("gated", **models, **silence))
    model_server.release(GATED)


def clean(site: Site) -> Iterator[Site]:
    """Hand the site out, and see that it logged no traceback meanwhile."""
    yield site
    for reply in Message.objects.running():
        request_stop(reply)
    until(lambda: not Message.objects.running().exists(), what="the replies to end")
    assert "Traceback" not in site.new_log(), site.new_log()
