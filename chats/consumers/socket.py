"""The socket itself: who is let in, what it is joined to, when it is closed."""

from collections.abc import Callable
from uuid import UUID

from channels.generic.websocket import AsyncWebsocketConsumer

from chats import presence
from chats.consumers.asking import Requests
from chats.consumers.line import Line
from chats.consumers.news import NewsTeller
from chats.consumers.visitor import NO_LONGER_YOURS, NOT_YOURS, Visitor
from chats.consumers.watching import RESTARTING, Watching
from chats.representation import session_data
from chats.services.access import Standing
from core.broadcast import Message as News
from core.broadcast import bus
from core.database import AWAY, in_database
from core.errors import NotFound

__all__ = ["NOT_YOURS", "RESTARTING", "ChatConsumer"]


class ChatConsumer(AsyncWebsocketConsumer):
    """One open page. Handlers return at once: whatever takes time runs in a task, so that nothing waits behind it."""

    # News comes over the process's own line (see `core.broadcast`): a page needs none, and opens while Redis is away.
    channel_layer_alias = ""

    async def connect(self) -> None:
        # Accepted first: a close code before that would reach the browser as 1006, which says nothing.
        await self.accept()
        self._unsubscribes: list[Callable[[], None]] = []
        self._line = Line(self.send, self.close)
        self._visitor = Visitor(self.scope)
        self._watching = Watching(self._line, self._visitor)
        self._news = NewsTeller(self._line, self._visitor, self._watching)
        self._requests = Requests(self._line, self._visitor, self._watching, self._news)
        self._line.start(self._open())

    async def disconnect(self, code: int) -> None:
        presence.leave(self)
        for unsubscribe in self._unsubscribes:
            unsubscribe()
        self._line.end()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self._requests.take(text_data)

    async def _open(self) -> None:
        try:
            refused = await in_database(self._visitor.enter)
            if refused is None:
                await self._let_in()
            else:
                await self._line.close(refused)
        except NotFound:
            await self._line.close(NOT_YOURS)
        except AWAY:
            await self._line.close(RESTARTING)

    async def _let_in(self) -> None:
        visitor = self._visitor
        self._unsubscribes = [
            bus().subscribe(f"session.{visitor.session.pk}", self._news.put),
            bus().subscribe(f"user.{visitor.session.user_id}", self._on_user_news),
        ]
        # Read once more: what was committed before the subscription made no news here.
        await in_database(visitor.read_again)
        presence.join(self)
        running = visitor.standing.running_reply_id
        if running is None or not await self._watching.begin(running, seen=None):
            await self._line.tell("ready", session=session_data(visitor.session), reply=None)
        self._line.opened.set()
        self._line.start(self._tell_news())

    async def _tell_news(self) -> None:
        try:
            await self._news.tell_forever()
        except Exception:
            # A page that is told nothing more must not stay: it comes back and reads all.
            await self._line.close(RESTARTING)
            raise
        await self.check_access()

    def _on_user_news(self, news: News) -> None:
        if news["event"] == "signed_out" and self._visitor.signed_out_by(news["session"]):
            self._line.start(self._line.close(NO_LONGER_YOURS))
        elif news["event"] == "access.changed":
            self._line.start(self.check_access())

    async def check_access(self) -> None:
        """Close when the user may not read this conversation any more."""
        try:
            refused = await in_database(self._visitor.enter_again)
        except AWAY:
            return
        if refused is not None:
            presence.leave(self)
            await self._line.close(refused)

    # What `presence` asks of a page.

    @property
    def session_id(self) -> UUID:
        return self._visitor.session.pk

    @property
    def session_key(self) -> str | None:
        return self._visitor.session_key

    @property
    def is_watching(self) -> bool:
        return self._watching.is_on

    def compare(self, now: Standing | None) -> None:
        """Tell what news did not: see `presence`."""
        if now is None or now.password != self._visitor.standing.password:
            self._line.start(self.check_access())
        elif now != self._visitor.standing:
            self._news.look()

    async def restart(self) -> None:
        """Send the page elsewhere: this process ends."""
        await self._line.close(RESTARTING)
