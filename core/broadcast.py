"""News between the processes of one site: a topic, a small JSON message, whoever listens.

Listeners in the publishing process are called in process; other processes hear over the channel layer, of which each
process holds one channel. News can be lost there (the layer drops over capacity, Redis may be away), so it only ever
says that something happened: the database says what.
"""

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer, get_channel_layer

from core.background import spawn
from core.redis import redis_errors

log = structlog.get_logger(__name__)

Message = dict[str, Any]
Listener = Callable[[Message], None]

RETRY_SECONDS = 1.0
# Each process hears itself over the layer this often; after three silences the line counts as down. The log says so
# only after some more: a busy machine is late, and so is its first connection.
ECHO_SECONDS = 1.0
SILENCE_SECONDS = 3.5
SILENCES_SAID = 10


def layer_errors() -> tuple[type[Exception], ...]:
    """What a layer raises while its Redis is away: redis' own errors, sockets', and what a full channel says.

    Its client stumbles into an AttributeError when its connection goes in the middle of a command.
    """
    return (*redis_errors(), OSError, ChannelFull, RuntimeError, AttributeError)


class Bus:
    """The listeners of one process (of one event loop, to be exact), and its line to the others."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.loop = asyncio.get_running_loop()
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)
        self._layer: Any = _shared_layer()
        self._channel: str | None = None
        self._joined: set[str] = set()
        self._changed = asyncio.Event()
        self._heard_at = float("-inf")
        self._down_since: float | None = None
        self._outbox: asyncio.Queue[tuple[str, Message]] = asyncio.Queue(maxsize=1000)
        if self._layer is not None:
            self.subscribe(self._echo_topic, lambda _: None)
            spawn(self._receive(), name="broadcast-receive")
            spawn(self._send(), name="broadcast-send")
            spawn(self._keep_joined(), name="broadcast-join")
            spawn(self._echo(), name="broadcast-echo")

    @property
    def reaches_others(self) -> bool:
        """Whether news goes to other processes and comes from them, at this moment."""
        return self._layer is not None and time.monotonic() - self._heard_at < SILENCE_SECONDS

    @property
    def _echo_topic(self) -> str:
        return f"echo.{self.id}"

    def subscribe(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the event loop for each message on `topic`. Returns what ends the subscription."""
        listeners = self._listeners[topic]
        listeners.append(listener)
        self._changed.set()

        def unsubscribe() -> None:
            if listener in listeners:
                listeners.remove(listener)
                if not listeners and self._listeners.get(topic) is listeners:
                    del self._listeners[topic]
                    self._changed.set()

        return unsubscribe

    def publish(self, topic: str, message: Message) -> None:
        """Tell listeners here at once and other processes soon. On the loop only."""
        self.dispatch(topic, message)
        if self._layer is not None:
            try:
                self._outbox.put_nowait((topic, message))
            except asyncio.QueueFull as full:
                self._is_down(full)

    def dispatch(self, topic: str, message: Message) -> None:
        for listener in tuple(self._listeners.get(topic, ())):
            try:
                listener(message)
            except Exception:
                log.exception("broadcast listener failed", topic=topic)

    async def _keep_joined(self) -> None:
        """Belong to the groups of the topics that are listened to here, whatever the layer's weather."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._join_and_leave()
            except layer_errors() as error:
                self._is_down(error)
                self._changed.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _join_and_leave(self) -> None:
        if self._channel is None:
            return
        for topic in self._listeners.keys() - self._joined:
            await self._layer.group_add(topic, self._channel)
            self._joined.add(topic)
        for topic in self._joined - self._listeners.keys():
            await self._layer.group_discard(topic, self._channel)
            self._joined.discard(topic)

    async def _receive(self) -> None:
        while True:
            try:
                self._channel = await self._layer.new_channel()
                self._joined.clear()
                self._changed.set()
                while True:
                    self._heard(await self._layer.receive(self._channel))
            except layer_errors() as error:
                self._is_down(error)
                self._channel = None
                await asyncio.sleep(RETRY_SECONDS)

    def _heard(self, envelope: Message) -> None:
        if envelope["origin"] != self.id:
            self.dispatch(envelope["topic"], envelope["message"])
        elif envelope["topic"] == self._echo_topic:
            self._heard_at = time.monotonic()
            self._is_up(envelope["message"]["at"])

    async def _send(self) -> None:
        while True:
            topic, message = await self._outbox.get()
            try:
                await self._layer.group_send(topic, _envelope(self.id, topic, message))
            except layer_errors() as error:
                self._is_down(error)

    async def _echo(self) -> None:
        silences = 0
        while True:
            self.publish(self._echo_topic, {"at": time.monotonic()})
            await asyncio.sleep(ECHO_SECONDS)
            silences = 0 if self.reaches_others else silences + 1
            if silences == SILENCES_SAID:
                self._is_down(None)

    # One line in the log when news stops to travel and one when it does again; what fails in between says no more.

    def _is_down(self, error: Exception | None) -> None:
        if self._down_since is None:
            log.warning("no news between processes", error="nothing comes" if error is None else repr(error))
            self._down_since = time.monotonic()

    def _is_up(self, echo_sent_at: float) -> None:
        if self._down_since is not None and echo_sent_at > self._down_since:
            seconds = round(time.monotonic() - self._down_since, 1)
            log.warning("news between processes again", after_seconds=seconds)
            self._down_since = None


_bus: Bus | None = None


def bus() -> Bus:
    """The bus of the running event loop, made on first use."""
    global _bus  # noqa: PLW0603 - one bus a process
    if _bus is None or _bus.loop is not asyncio.get_running_loop():
        _bus = Bus()
    return _bus


def publish(topic: str, message: Message) -> None:
    """Publish from any thread, with or without an event loop in this process. Never raises: news is only speed."""
    current = _bus
    if current is not None and not current.loop.is_closed():
        # RuntimeError: the loop was closed this moment; its listeners are gone with it.
        with suppress(RuntimeError):
            current.loop.call_soon_threadsafe(current.publish, topic, message)
            return
    layer = _shared_layer()
    if layer is not None:
        try:
            async_to_sync(layer.group_send)(topic, _envelope("", topic, message))
        except layer_errors() as error:
            log.warning("broadcast not sent", topic=topic, error=repr(error))


def _envelope(origin: str, topic: str, message: Message) -> Message:
    return {"type": "broadcast", "origin": origin, "topic": topic, "message": message}


def _shared_layer() -> Any | None:
    """The channel layer if it reaches other processes; the in-memory one does not."""
    layer = get_channel_layer()
    return None if layer is None or isinstance(layer, InMemoryChannelLayer) else layer
