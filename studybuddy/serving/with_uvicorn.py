"""Uvicorn, with the process's beginning and end, and without what the site has already: a log and lifespans."""

import asyncio
import signal
import socket
from types import FrameType

import uvicorn
from django.conf import settings

from studybuddy.asgi import application
from studybuddy.serving import lifetime

# Longer than proxies keep connections that they may use again.
KEEP_ALIVE_SECONDS = 130
# What answers that are no replies get to end in.
CLOSE_SECONDS = 5


class DrainingServer(uvicorn.Server):
    """On the way out it stops listening, lets running replies end or hands them over, and sends pages elsewhere."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        lifetime.begin()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Uvicorn's own would end the process by the same signal once more, after its good end.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await lifetime.drain()
        closing = asyncio.create_task(super().shutdown(sockets), name="uvicorn-shutdown")
        await asyncio.wait([closing], timeout=CLOSE_SECONDS)
        self.force_exit = True  # nobody waits any longer for pages that take nothing
        await closing


def serve(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # frames are short and many: it would cost CPU with each
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.SECURE_PROXY_SSL_HEADER is not None,
        forwarded_allow_ips="*",  # with a proxy nobody else gets here
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    DrainingServer(config).run()
