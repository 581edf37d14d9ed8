"""A page's websocket, as a browser speaks it, that checks the contract's promises on every frame."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import websockets
from django.contrib.auth.models import User

from tests.servers import Site, cookies

Frame = dict[str, Any]


class Page:
    """An open page. `text` is what it shows of the running reply; offsets are checked as frames come."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.frames: list[Frame] = []
        self.attempt: int | None = None
        self.text = ""
        self.blocks: list[str] = []
        self.reasoning = ""
        self.knows_sources = False

    async def send(self, action: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"action": action, **fields}))

    async def ask(self, text: str, **fields: Any) -> str:
        client_id = fields.pop("client_id", str(uuid.uuid4()))
        await self.send("send", client_id=client_id, text=text, **fields)
        return client_id

    async def receive(self, seconds: float = 20) -> Frame:
        async with asyncio.timeout(seconds):
            frame: Frame = json.loads(await self.connection.recv())
        self.frames.append(frame)
        self._apply(frame)
        return frame

    async def until(self, kind: str, check: Callable[[Frame], bool] = lambda _: True, seconds: float = 20) -> Frame:
        """Receive up to and with the first frame of that type (for which `check` holds)."""
        async with asyncio.timeout(seconds):
            while True:
                frame = await self.receive(seconds)
                if frame["type"] == kind and check(frame):
                    return frame

    def _apply(self, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "ready" and frame["reply"]:
            reply = frame["reply"]
            self.attempt, self.text, self.blocks = reply["attempt"], reply["text"], reply["html"]
            self.reasoning = reply["reasoning"]
            self.knows_sources = True
            assert reply["offset"] == len(reply["text"])
        elif kind in ("reply.started", "reply.restarted"):
            self.attempt, self.text, self.blocks, self.reasoning = frame.get("attempt"), "", [], ""
            self.knows_sources = False
        elif kind == "reply.sources":
            self.knows_sources = True
        elif kind == "reply.reasoning":
            assert self.knows_sources, "a thought before the sources"
            assert frame["offset"] == len(self.reasoning)
            self.reasoning += frame["text"]
        elif kind == "reply.delta":
            self._delta(frame)

    def _delta(self, frame: Frame) -> None:
        assert self.attempt in (None, frame["attempt"]), "a delta of another attempt"
        self.attempt = frame["attempt"]
        assert self.knows_sources or not frame["text"], "text before the sources"
        assert frame["offset"] == len(self.text), f"gap or overlap: {frame['offset']} after {len(self.text)}"
        self.text += frame["text"]
        assert frame["from"] <= len(self.blocks)
        self.blocks[frame["from"] :] = frame["html"]


@asynccontextmanager
async def open_page(
    site: Site, user: User | None, session_id: object, *, origin: str = "", cookie: str = ""
) -> AsyncIterator[Page]:
    """Connect and receive `ready`."""
    async with connect(site, user, session_id, origin=origin, cookie=cookie) as page:
        await page.until("ready")
        yield page


@asynccontextmanager
async def connect(
    site: Site, user: User | None, session_id: object, *, origin: str = "", cookie: str = ""
) -> AsyncIterator[Page]:
    """Connect as `user`, with the `cookie` that they have already or with a new one."""
    if user is not None and not cookie:
        cookie = await asyncio.to_thread(cookies, user)
    async with websockets.connect(
        site.socket_url(session_id),
        additional_headers={"Cookie": cookie} if cookie else {},
        origin=origin or site.origin,  # type: ignore[arg-type]
        max_size=None,
    ) as connection:
        yield Page(connection)
