"""What happens in a conversation, told to one open page in the order in which it came."""

import asyncio
from uuid import UUID

import structlog

from chats.consumers.frames import shown
from chats.consumers.line import Line
from chats.consumers.visitor import Visitor
from chats.consumers.watching import Watching
from chats.representation import session_data
from chats.services import history
from core.broadcast import Message as News
from core.database import AWAY, in_database
from core.errors import NotFound

log = structlog.get_logger(__name__)

# After these the page is told how the conversation stands.
CHANGES = ("session.updated", "branch.shown", "reply.ended", "missed")


class NewsTeller:
    """News is put in from anywhere on the loop; `tell_forever` reads what it is about and tells it.

    `mine` holds the questions that this very page asked: it knows them.
    """

    def __init__(self, line: Line, visitor: Visitor, watching: Watching) -> None:
        self._line, self._visitor, self._watching = line, visitor, watching
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self.mine: set[str] = set()

    def put(self, news: News) -> None:
        self._news.put_nowait(news)

    def look(self) -> None:
        """Say that something was missed: whatever it is, it is told."""
        self.put({"event": "missed"})

    async def tell_forever(self) -> None:
        """Return when the conversation is not there for this page any more."""
        while True:
            news = await self._news.get()
            async with self._line.ordered:
                try:
                    await self._keep_up(news)
                    await self._tell(news)
                except NotFound:
                    return
                except AWAY as error:
                    log.warning("news not told", error=type(error).__name__)

    async def _keep_up(self, news: News) -> None:
        """Know the conversation as it stands after the news; raises NotFound when it may not be read any more.

        After a turn of its own the page knows it, and it was let in to that turn this very moment.
        """
        if news["event"] == "turn" and "reply" in news and news["question"] in self.mine:
            self._visitor.foresee(UUID(news["reply"]))
        else:
            await in_database(self._visitor.read_again)

    async def _tell(self, news: News) -> None:
        event = news["event"]
        if event == "missed":
            await self._catch_up()
        elif event == "turn":
            await self._turn(news)
        elif event == "reply.queued":
            reply = await in_database(history.message, UUID(news["reply"]))
            await self._started(news["reply"], str(reply.parent_id))
        elif event == "reply.ended":
            await self._watching.tell_end(news["reply"])
        if event in CHANGES:
            session = self._visitor.session
            head = None if session.head_id is None else str(session.head_id)
            await self._line.tell("session.updated", session=session_data(session), head_id=head)

    async def _catch_up(self) -> None:
        """A turn was begun or a reply has ended, and no news of it came: tell it as the news would have."""
        running, watched = self._visitor.standing.running_reply_id, self._watching.reply_id
        if running is not None and str(running) != watched:
            reply = await in_database(history.message, running)
            await self._turn({"event": "turn", "question": str(reply.parent_id), "reply": str(running)})
        elif running is None and watched is not None:
            await self._watching.tell_end(watched)

    async def _turn(self, news: News) -> None:
        if news["question"] not in self.mine:
            await self._line.tell("message", message=await in_database(shown, UUID(news["question"])))
        if "reply" in news:
            await self._started(news["reply"], news["question"])

    async def _started(self, reply_id: str, parent_id: str) -> None:
        self._watching.leave()  # else what is told of it already would be told once more, after its beginning
        self._watching.expect(reply_id)
        await self._line.tell("reply.started", reply_id=reply_id, parent_id=parent_id)
        await self._watching.begin(UUID(reply_id), seen=(0, 0))
