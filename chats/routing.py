"""Websocket addresses."""

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import URLPattern, path, re_path

from chats.consumers import NOT_YOURS, ChatConsumer


class NowhereConsumer(AsyncWebsocketConsumer):
    """Any other address: accepted and closed, so that the page learns why."""

    async def connect(self) -> None:
        await self.accept()
        await self.close(NOT_YOURS)


websocket_urlpatterns: list[URLPattern] = [
    path("ws/chats/<str:session_id>/", ChatConsumer.as_asgi()),
    re_path(r"", NowhereConsumer.as_asgi()),
]
