"""What a chat's use cases refuse, besides the errors every use case knows."""

from core.errors import Conflict, Invalid, Unavailable


class ReplyRunning(Conflict):
    code = "reply_running"
    default_detail = "The tutor is still answering. Wait until it is done, or stop it."
    retryable = True


class MessageTooLong(Invalid):
    code = "message_too_long"


class QuotaExceeded(Unavailable):
    code = "quota_exceeded"
    default_detail = "You have used today's tokens."


class ShuttingDown(Unavailable):
    default_detail = "The server is restarting. Your message is kept; it is sent again in a moment."
