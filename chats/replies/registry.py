"""The replies that somebody in this process makes or watches."""

from uuid import UUID

from chats.replies.live import LiveReply

_lives: dict[UUID, LiveReply] = {}


def get(reply_id: UUID) -> LiveReply | None:
    return _lives.get(reply_id)


def add(live: LiveReply) -> LiveReply:
    """Register `live`, or return the one that is registered already."""
    return _lives.setdefault(live.reply_id, live)


def discard(live: LiveReply) -> None:
    if _lives.get(live.reply_id) is live:
        del _lives[live.reply_id]
