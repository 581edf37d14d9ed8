"""Web processes of one test alone, to be killed, frozen and ended."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from chats.models import ChatSession, Message
from chats.services import sessions
from tests.servers import Fleet, Site, start_site, until

LEASE_SECONDS = 2


class Crew:
    """Starts web processes on the test's database and knows which of them makes a reply."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self._folder, self._base_url = folder, base_url
        self.sites: list[Site] = []

    def start(self, count: int = 1, **settings: str) -> list[Site]:
        settings = {
            "OPENAI_BASE_URL": self._base_url,
            "TITLE_MODEL": "plain:3",
            "RUNNER_LEASE_SECONDS": str(LEASE_SECONDS),
            **settings,
        }
        with ThreadPoolExecutor(count) as pool:
            started = list(pool.map(lambda _: start_site(self._folder, **settings), range(count)))
        self.sites += started
        return started

    def who_makes(self, reply_id: object) -> Site:
        """The process that runs the reply, once one does."""

        def running() -> Site | None:
            reply = Message.objects.select_related("runner").filter(pk=reply_id, state="streaming").first()
            if reply is None or reply.runner is None:
                return None
            return next((site for site in self.sites if site.process.pid == reply.runner.pid), None)

        return until(running, what="a process to make the reply")

    def other(self, site: Site) -> Site:
        return next(one for one in self.sites if one is not site and one.process.poll() is None)

    def kill(self, site: Site) -> None:
        site.kill(signal.SIGKILL)
        site.process.wait()

    def end(self) -> None:
        for site in self.sites:
            site.end()


@pytest.fixture
def crew(transactional_db: Any, fleet: Fleet, tmp_path: Path, model_server: Any) -> Iterator[Crew]:
    fleet.end()  # the processes of other tests would take part
    started = Crew(tmp_path, model_server.base_url)
    yield started
    started.end()
    for log in tmp_path.glob("serve-*.log"):
        assert "[error" not in log.read_text(), log.read_text()


@pytest.fixture
def chat(student: User) -> ChatSession:
    return sessions.create(user=student)[0]
