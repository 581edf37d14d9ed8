"""What a page is sent, as JSON with its `type` first."""

from typing import Any
from uuid import UUID

import msgspec

from chats.markup import render_ended
from chats.models import Message
from chats.replies.events import TextDelta
from chats.replies.live import links
from chats.representation import message_data
from chats.services import history


def encode(kind: str, **fields: Any) -> str:
    """One frame."""
    return msgspec.json.encode({"type": kind, **fields}).decode()


def delta_frame(event: TextDelta) -> str:
    return encode(
        "reply.delta",
        reply_id=event.reply_id,
        attempt=event.attempt,
        offset=event.offset,
        text=event.text,
        **{"from": event.start},
        html=event.blocks,
    )


def shown(message_id: UUID) -> dict[str, Any]:
    """A message with its HTML, for those who have been let in. Raises Message.DoesNotExist."""
    return with_html(history.message(message_id))


def with_html(message: Message) -> dict[str, Any]:
    """The same for a message that `history` has read."""
    data = message_data(message)
    return {**data, "html": render_ended(data["content"], tuple(links(data["sources"])))}
