"""The students of the fault harness, who behave as the page does, and what they were promised and saw."""

import asyncio
import json
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import Any

import websockets

from benchmarks.fault_stage import Stage

SILENCE_SECONDS = 1.0
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
