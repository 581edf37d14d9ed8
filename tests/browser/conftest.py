"""A real site in a process of its own, and a real browser before it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.chromium import chromium, launched
from tests.fakes.fixtures import ModelServer, model_server

__all__ = ["model_server"]

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "studybuddy"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
START_SECONDS = 60
# What a browser says by itself when a test takes its connection away.
EXPECTED = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED", "WebSocket connection to")

SEED = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", interactive=False, verbosity=0)
from courses import demo
demo.load()
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if chromium() or os.environ.get("CI"):
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason="no Chromium found: browser tests are left out (set CHROMIUM)"))


@dataclass
class Site:
    """A `manage.py serve` on a database of its own. It can be killed and started again on the same port."""

    folder: Path
    environment: dict[str, str]
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    _log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the site did not start"
            time.sleep(0.1)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database and the files of a site that holds the demo course."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-c", SEED], cwd=ROOT, env=environment(folder), check=True)
    return folder


def environment(folder: Path, **changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("OPENAI_API_KEY", "OPENAI_BASE_URL")}
    return {
        **kept,
        "ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "studybuddy.settings",
        "DEBUG": "true",
        "DATABASE_URL": f"sqlite:///{folder}/studybuddy.sqlite3",
        "MEDIA_ROOT": str(folder / "media"),
        "REDIS_URL": "",
        "LOG_LEVEL": "WARNING",
        **changes,
    }


MakeSite = Callable[..., Site]


@pytest.fixture(scope="session")
def make_site(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSite]:
    """Starts a site with settings of its own on a copy of the seeded database."""
    sites: list[Site] = []

    def make(**changes: str) -> Site:
        folder = tmp_path_factory.mktemp("site")
        shutil.copytree(seeded, folder, dirs_exist_ok=True)
        site = Site(folder, environment(folder, **changes), free_port())
        sites.append(site)
        site.start()
        return site

    yield make
    for site in sites:
        site.stop()


@pytest.fixture(scope="session")
def site(make_site: MakeSite) -> Site:
    """A site without a model: the built-in tutor answers."""
    return make_site()


@pytest.fixture(scope="session")
def model_site(make_site: MakeSite, model_server: ModelServer) -> Callable[[str], Site]:
    """Gives the site whose model behaves as the fake model of that name does; made once for each."""
    made: dict[str, Site] = {}

    def with_model(name: str) -> Site:
        if name not in made:
            made[name] = make_site(
                OPENAI_BASE_URL=model_server.base_url, OPENAI_API_KEY="sk-test", CHAT_MODEL=name, TITLE_MODEL="plain:3"
            )
        return made[name]

    return with_model


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


MakeContext = Callable[..., BrowserContext]


@pytest.fixture
def make_context(browser: Browser) -> Iterator[MakeContext]:
    """Makes a browser profile. Whatever any of its pages complains about in the console fails the test."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None,
        )

    def make(**options: object) -> BrowserContext:
        context = browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
        context.set_default_timeout(15_000)
        context.on("page", watch)
        contexts.append(context)
        return context

    expect.set_options(timeout=15_000)
    yield make
    for context in contexts:
        context.close()
    assert [text for text in complaints if not any(known in text for known in EXPECTED)] == []


@pytest.fixture
def sign_in(make_context: MakeContext) -> Callable[..., Page]:
    """Opens a page of somebody who is signed in."""

    def go(site: Site, username: str = "student", **options: object) -> Page:
        page = make_context(**options).new_page()
        page.goto(f"{site.url}/accounts/login/")
        page.get_by_label("Login").fill(username)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url("**/chats")
        return page

    return go


SignIn = Callable[..., Page]


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def answered(page: Page, count: int = 1) -> None:
    """Wait until so many answers are complete."""
    expect(page.locator(".turn[data-role=assistant][data-state=complete] .tools")).to_have_count(count)
