"""The processes that the fault harness breaks: the site's, the model server, Redis."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT

WORDS, TOKEN_MS = 120, 20
UPTIME_SECONDS = 5.0


class Stage:
    """The processes of one set-up."""

    def __init__(
        self, setup: str, folder: Path, *, postgres: Any, lease_seconds: int, asgi_servers: Sequence[str]
    ) -> None:
        from tests import servers, services

        self.setup = setup
        self.folder = folder
        self.postgres = postgres
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
        self._asgi = [asgi_servers[index % len(asgi_servers)] for index in range(self.web_processes)]
        self.sites = [self._start(index) for index in range(self.web_processes)]

    @property
    def web_processes(self) -> int:
        return 2 if self.setup == "postgres" else 1

    def _start(self, index: int, port: int | None = None) -> Any:
        settings = {**self._settings, "ASGI_SERVER": self._asgi[index]}
        return self._servers.start_site(self.folder, port=port, wait=False, **settings)

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
        self.sites[index] = self._start(index, site.port)
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
