"""Addresses of the chats' API."""

from typing import Any

from chats.api import agent
from chats.api.messages import MessagesView, MessageView
from chats.api.sessions import SessionsView, SessionView
from chats.api.transfer import ExportView, ImportView
from chats.api.usage import UsageView
from core.api.routes import both

SESSION = "sessions/<str:session_id>"
MESSAGE = "messages/<str:message_id>"
ONE: Any = {"get": "retrieve", "patch": "partial_update", "put": "update", "delete": "destroy"}

urlpatterns = [
    *both("sessions", SessionsView.as_view({"get": "list", "post": "create"}), "sessions"),
    *both("sessions/import", ImportView.as_view({"post": "create"}), "import"),
    *both(f"{SESSION}/export", ExportView.as_view({"get": "retrieve"}), "export"),
    *both(SESSION, SessionView.as_view(ONE), "session"),
    *both(f"{SESSION}/restore", SessionView.as_view({"post": "restore"}), "restore"),
    *both(f"{SESSION}/branch", SessionView.as_view({"post": "branch"}), "branch"),
    *both(f"{SESSION}/generate-title", SessionView.as_view({"post": "generate_title"}), "generate-title"),
    *both(f"{SESSION}/stop", SessionView.as_view({"post": "stop"}), "stop"),
    *both(f"{SESSION}/regenerate", SessionView.as_view({"post": "regenerate"}), "regenerate"),
    *both(
        f"{SESSION}/messages",
        MessagesView.as_view({"get": "list", "post": "create", "put": "update"}),
        "messages",
    ),
    *both(MESSAGE, MessageView.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}), "message"),
    *both(f"{MESSAGE}/feedback", MessageView.as_view({"post": "rate"}), "feedback"),
    *both("agent/chat", agent.chat, "agent-chat"),
    *both("agent/chat/<str:session_id>/stream", agent.rejoin, "agent-stream"),
    *both("usage", UsageView.as_view({"get": "list"}), "usage"),
]
