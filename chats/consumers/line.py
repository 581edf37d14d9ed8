"""The way to one page: its frames in order, and the tasks that make them, which end with its socket."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from autobahn.exception import Disconnected

from chats.consumers.frames import encode
from core.background import spawn
from core.text import storable


class Line:
    """`send` takes a frame, `close` a code. What must not be told in between holds `ordered`."""

    def __init__(self, send: Callable[[str], Awaitable[None]], close: Callable[[int], Awaitable[None]]) -> None:
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()
        self.close = close
        self.ordered = asyncio.Lock()
        self.opened = asyncio.Event()  # set once the page was told `ready`

    async def tell(self, kind: str, **fields: Any) -> None:
        await self.tell_frame(encode(kind, **fields))

    async def tell_frame(self, frame: str) -> None:
        # A page that went away is heard of soon: its socket is closed.
        with suppress(Disconnected):
            await self._send(frame)

    async def refuse(self, code: str, detail: str, client_id: object = None) -> None:
        # Only a text is said back, without what JSON can't hold: a refusal must always reach the page.
        extra = {"client_id": storable(client_id)} if isinstance(client_id, str) else {}
        await self.tell("error", code=code, detail=detail, **extra)

    def start(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = spawn(coroutine, name="chat-socket")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
