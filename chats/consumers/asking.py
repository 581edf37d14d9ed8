"""What a page asks for: it is parsed, checked and handed to one use case."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from chats import replies
from chats.consumers.frames import with_html
from chats.consumers.line import Line
from chats.consumers.news import NewsTeller
from chats.consumers.visitor import Visitor
from chats.consumers.watching import Watching
from chats.models import Message
from chats.services import branches, history
from chats.services.turns import Turn
from core.database import AWAY, in_database
from core.errors import DomainError, Invalid, NotFound, Unavailable
from core.ids import LONGEST_CLIENT_ID

Frame = dict[str, Any]


class Requests:
    """The actions of one page. Whatever goes wrong is told with the `client_id`, so that the page keeps its text."""

    def __init__(self, line: Line, visitor: Visitor, watching: Watching, news: NewsTeller) -> None:
        self._line, self._visitor, self._watching, self._news = line, visitor, watching, news
        self._actions: dict[str, Callable[[Frame], Awaitable[None]]] = {
            "send": self._send,
            "edit": self._edit,
            "regenerate": self._regenerate,
            "stop": self._stop,
            "branch": self._branch,
            "resume": self._resume,
            "ping": self._ping,
        }

    async def take(self, text: str | None) -> None:
        """Begin what a frame asks for; it runs in a task of its own. What can't be read is refused."""
        try:
            frame = json.loads(text or "")
            action = self._actions[frame["action"]]
        except (ValueError, RecursionError):
            await self._line.refuse("parse_error", "This is not JSON.")
        except (KeyError, TypeError):
            await self._line.refuse("invalid", f"`action` must be one of {', '.join(self._actions)}.")
        else:
            self._line.start(self._act(action, frame))

    async def _act(self, action: Callable[[Frame], Awaitable[None]], frame: Frame) -> None:
        client_id = frame.get("client_id")
        await self._line.opened.wait()
        try:
            await action(frame)
        except DomainError as error:
            await self._line.refuse(error.code, error.detail, client_id)
        except AWAY:
            refused = Unavailable("The site can't reach its database. Your message is kept; try again in a moment.")
            await self._line.refuse(refused.code, refused.detail, client_id)

    async def _send(self, frame: Frame) -> None:
        await self._take_turn(
            replies.ask,
            frame,
            session_id=self._visitor.session.pk,
            text=_string(frame, "text"),
            document_id=frame.get("document_id"),
            lecture_id=frame.get("lecture_id"),
        )

    async def _edit(self, frame: Frame) -> None:
        message = await self._own(frame.get("message_id"))
        await self._take_turn(replies.edit, frame, message_id=message.pk, text=_string(frame, "text"))

    async def _regenerate(self, frame: Frame) -> None:
        session_id = self._visitor.session.pk
        await self._take_turn(replies.regenerate, frame, session_id=session_id, message_id=frame.get("message_id"))

    async def _take_turn(self, use_case: Callable[..., Turn], frame: Frame, **arguments: Any) -> None:
        """Commit, then acknowledge; what follows from it is told after that."""
        client_id = frame.get("client_id")
        if client_id is not None and (not isinstance(client_id, str) or not 0 < len(client_id) <= LONGEST_CLIENT_ID):
            raise Invalid(f"`client_id` must be a string of 1 to {LONGEST_CLIENT_ID} characters.")
        async with self._line.ordered:
            user = self._visitor.user
            question = await in_database(_committed, use_case, user=user, client_id=client_id, **arguments)
            self._news.mine.add(question["id"])
            await self._line.tell("ack", client_id=client_id, message=question)

    async def _stop(self, frame: Frame) -> None:
        user, session_id = self._visitor.user, self._visitor.session.pk
        await in_database(replies.stop, user=user, session_id=session_id, reply_id=frame.get("reply_id"))

    async def _branch(self, frame: Frame) -> None:
        user, session_id = self._visitor.user, self._visitor.session.pk
        await in_database(branches.show, user=user, session_id=session_id, message_id=frame.get("message_id"))

    async def _resume(self, frame: Frame) -> None:
        attempt, after = frame.get("attempt"), frame.get("after")
        if not isinstance(attempt, int) or not isinstance(after, int) or after < 0:
            raise Invalid("`attempt` and `after` must be whole numbers.")
        reply = await self._own(frame.get("reply_id"))
        async with self._line.ordered:
            if not await self._watching.begin(reply.pk, seen=(attempt, after)):
                await self._watching.tell_end(str(reply.pk), again=True)

    async def _own(self, message_id: object) -> Message:
        message = await in_database(branches.own_message, user=self._visitor.user, message_id=message_id)
        if message.session_id != self._visitor.session.pk:
            raise NotFound
        return message

    async def _ping(self, _: Frame) -> None:
        await self._line.tell("pong")


def _committed(use_case: Callable[..., Turn], **arguments: Any) -> Frame:
    """Take the turn and return its question as it is shown. In one go: each way to a thread and back costs."""
    return with_html(history.question(use_case(**arguments).user_message))


def _string(frame: Frame, name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str):
        raise Invalid(f"`{name}` must be a string.", errors={name: ["This must be a string."]})
    return value
