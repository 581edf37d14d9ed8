"""The websocket of one conversation: what the page asks for (`asking`), and what it is told (`news`, `watching`)."""

from chats.consumers.socket import NOT_YOURS, RESTARTING, ChatConsumer

__all__ = ["NOT_YOURS", "RESTARTING", "ChatConsumer"]
