"""A websocket client that costs next to nothing, so that what is measured is the server.

It speaks as much of RFC 6455 as a page's socket needs: text frames, answers to pings, no compression.
"""

import asyncio
import base64
import os
import struct
from collections.abc import Callable
from urllib.parse import urlsplit

OnText = Callable[[bytes, float], None]
"""Called with each text frame and the loop's time at which it was there."""


class Socket(asyncio.Protocol):
    """One connection. `opened` is done when the handshake is; `closed` with the close code when it has ended."""

    transport: asyncio.Transport

    def __init__(self, url: str, on_text: OnText, cookie: str = "") -> None:
        loop = asyncio.get_running_loop()
        self._url = urlsplit(url)
        self._cookie = cookie
        self._on_text = on_text
        self._buffer = bytearray()
        self._time = loop.time
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[int] = loop.create_future()
        self.received_bytes = 0

    @classmethod
    async def connect(cls, url: str, on_text: OnText, cookie: str = "") -> "Socket":
        """Open a socket. Raises ConnectionError when the server refuses the handshake."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_connection(lambda: cls(url, on_text, cookie), parts.hostname, parts.port)
        await socket.opened
        return socket

    def send(self, text: bytes) -> None:
        self._write(0x81, text)

    def close(self) -> None:
        self._write(0x88, struct.pack(">H", 1000))
        self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        cookie = f"Cookie: {self._cookie}\r\n" if self._cookie else ""
        transport.write(
            f"GET {self._url.path} HTTP/1.1\r\nHost: {self._url.netloc}\r\nOrigin: http://{self._url.netloc}\r\n"
            f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"{cookie}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now = self._time()
        self.received_bytes += len(data)
        self._buffer += data
        if not self.opened.done():
            head, mark, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not mark:
                return
            self._buffer = bytearray(rest)
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.opened.set_exception(ConnectionError(head.decode("latin-1")))
                return
            self.opened.set_result(None)
        while (frame := self._next_frame()) is not None:
            self._take(*frame, now)

    def connection_lost(self, exc: Exception | None) -> None:
        for waiting in (self.opened, self.closed):
            if not waiting.done():
                waiting.set_exception(exc or ConnectionError("the server closed the connection"))
                waiting.exception()  # nobody need look

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, at = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return None
            length, at = struct.unpack_from(">H", buffer, 2)[0], 4
        elif length == 127:
            if len(buffer) < 10:
                return None
            length, at = struct.unpack_from(">Q", buffer, 2)[0], 10
        if len(buffer) < at + length:
            return None
        first, payload = buffer[0], bytes(buffer[at : at + length])
        del buffer[: at + length]
        return first, payload

    def _take(self, first: int, payload: bytes, now: float) -> None:
        assert first & 0xF0 == 0x80, "the server sends whole frames without compression"
        match first & 0x0F:
            case 1:
                self._on_text(payload, now)
            case 8:
                if not self.closed.done():
                    self.closed.set_result(struct.unpack(">H", payload[:2])[0] if payload else 1005)
                self.transport.close()
            case 9:
                self._write(0x8A, payload)

    def _write(self, first: int, payload: bytes) -> None:
        # A mask of zeros is a mask too, and leaves the payload as it is.
        size = len(payload)
        length = struct.pack(">B", 0x80 | size) if size < 126 else struct.pack(">BH", 0x80 | 126, size)
        self.transport.write(bytes([first]) + length + b"\0\0\0\0" + payload)
