"""The way to one page: its frames in order, and the tasks that make them, which end with its socket."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from autobahn.exception import Disconnected

from chats.consumers.frames import encode
from core.background import spawn
from core.text import storable

GONE = (Disconnected, OSError)
"""What servers raise once a page went away: Daphne, and any other by ASGI's specification.

It is heard of soon: the page's socket is closed."""


class Line:
    """`send` takes a frame, `close` a code. What must not be told in between holds `ordered`."""

    def __init__(self, send: Callable[[str], Awaitable[None]], close: Callable[[int], Awaitable[None]]) -> None:
        self._send = send
        self._close = close
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.ordered = asyncio.Lock()
        self.opened = asyncio.Event()  # set once the page was told `ready`

    async def tell(self, kind: str, **fields: Any) -> None:
        await self.tell_frame(encode(kind, **fields))

    async def tell_frame(self, frame: str) -> None:
        with suppress(*GONE):
            await self._send(frame)

    async def close(self, code: int) -> None:
        """Close the socket, once. It waits for a page that takes nothing at the moment."""
        if not self._closing:
            self._closing = True
            with suppress(*GONE):
                await self._close(code)

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
