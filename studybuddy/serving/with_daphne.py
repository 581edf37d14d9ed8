"""Daphne, the server in use, with the two hooks that it lacks: for its beginning and before its end."""

# Daphne's server goes first: it installs the reactor.
from daphne.server import Server, twisted_loop  # isort: skip

import asyncio
from typing import Any

import structlog
from daphne import http_protocol
from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.internet.defer import Deferred

from chats.consumers import RESTARTING
from studybuddy.asgi import application
from studybuddy.serving import lifetime

log = structlog.get_logger(__name__)


class WholeRequest(WebRequest):
    """A request whose body is Django's alone to read.

    Twisted would parse forms as well, on the event loop and in memory, and answer those it can't read by itself.
    """

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - Twisted's name
        self.content.seek(0)  # where a body ends it looks for a form; this one looks empty to it
        super().requestReceived(command, path, version)


class PageSocket(WebSocketProtocol):
    """A websocket that sends frames at once and without a word.

    Autobahn composes a coloured line for its debug log with every frame, shown or not, which costs as much as sending.
    Twisted sends in the event loop's next round what is written in this one, and a busy process has long rounds.
    """

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: N802
        if sync or chopsize or self.send_queue:
            super().sendData(data, sync, chopsize)
        else:
            self.transport.write(data)
            if self.transport.connected and self.transport.doWrite():
                self.transport.startWriting()  # this connection is over: the next round sees to that


# Daphne's factories name these classes and take no others.
http_protocol.WebRequest = WholeRequest
WebSocketFactory.protocol = PageSocket


class DrainingServer(Server):
    """On the way out it stops listening, lets running replies end or hands them over, and sends pages elsewhere."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._ports: list[Any] = []

    def listen_success(self, port: Any) -> None:
        self._ports.append(port)
        super().listen_success(port)

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        if message.get("type") == "websocket.close" and message.get("code") == RESTARTING:
            # The protocol's own closing takes no code below 3000; this one is for such cases.
            if protocol in self.connections and "disconnected" not in self.connections[protocol]:
                protocol.sendCloseFrame(code=RESTARTING)
        else:
            await super().handle_reply(protocol, message)

    def kill_all_applications(self) -> Any:
        drained = Deferred.fromFuture(asyncio.ensure_future(self._drain(), loop=twisted_loop))
        drained.addErrback(lambda failure: log.error("draining failed", error=str(failure.value)))
        drained.addCallback(lambda _: self._kill())
        return drained

    def _kill(self) -> Any:
        for protocol, details in list(self.connections.items()):
            if "application_instance" not in details:
                del self.connections[protocol]
        return super().kill_all_applications()

    async def _drain(self) -> None:
        for port in self._ports:
            port.stopListening()
        await lifetime.drain()


def serve(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    behind_proxy = settings.SECURE_PROXY_SSL_HEADER is not None
    server = DrainingServer(
        application=application,
        endpoints=[f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"],
        proxy_forwarded_address_header="X-Forwarded-For" if behind_proxy else None,
        proxy_forwarded_port_header="X-Forwarded-Port" if behind_proxy else None,
        proxy_forwarded_proto_header="X-Forwarded-Proto" if behind_proxy else None,
        server_name=settings.SITE_NAME,
    )
    twisted_loop.call_soon(lifetime.begin)
    server.run()
