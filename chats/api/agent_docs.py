"""How the async views of the agent stand in the API's description, which is drawn from DRF views."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.views import APIView

from chats.api import shapes
from chats.api.agent_body import AgentBody

V = TypeVar("V", bound=Callable[..., Any])

STREAM = """
The event stream is AI SDK's UI message stream, version 1 (header `x-vercel-ai-ui-message-stream: v1`). Each frame is a
`data:` line of JSON; in order: `start` (`messageId`: the reply's id; `messageMetadata`: `session_id`, `attempt`),
`start-step`, a `source-document` for each source and `data-sources` with all of them, `reasoning-start`, `-delta`,
`-end`, `text-start`, `text-delta`…, `text-end`, `data-sources` again (now with `cited`), `finish-step`, `finish`
(`finishReason`; `messageMetadata`: `state`, `usage`), and `[DONE]`. A failed reply ends with `error`, a stopped
one with `abort`. Comment lines keep the connection open while the model thinks. Leaving does not stop the reply:
rejoin with `GET /api/agent/chat/{session_id}/stream`.
"""
FRAMES = (
    f'data: {{"type":"start","messageId":"{shapes.ID}","messageMetadata":{{"session_id":"{shapes.ID}","attempt":1}}}}'
    '\n\ndata: {"type":"start-step"}\n\ndata: {"type":"text-start","id":"text"}'
    '\n\ndata: {"type":"text-delta","id":"text","delta":"The learning rate "}'
    '\n\ndata: {"type":"text-end","id":"text"}\n\ndata: {"type":"finish-step"}'
    '\n\ndata: {"type":"finish","finishReason":"stop","messageMetadata":{"state":"complete","usage":{}}}'
    "\n\ndata: [DONE]\n\n"
)
SESSION_HEADER = OpenApiParameter(
    "X-Session-Id", OpenApiTypes.UUID, OpenApiParameter.HEADER, response=[200], description="The session's id."
)
STREAM_EXAMPLE = OpenApiExample("Stream", value=FRAMES, response_only=True, media_type="text/event-stream")
EVENT = {"type": "object", "properties": {"data": {"type": "string", "description": "JSON, or `[DONE]`."}}}
STREAMED = OpenApiResponse(EVENT, description=STREAM.strip(), examples=[STREAM_EXAMPLE])
WHOLE = OpenApiExample("Whole", value=shapes.TURN, response_only=True, media_type="application/json")


class DescribedChat(APIView):
    """Ask the tutor."""

    tag = "agent"

    @extend_schema(
        operation_id="agent_chat",
        summary="Ask the tutor and stream its reply",
        description=(
            "Send `{message}` with a session or a course, or what AI SDK's `useChat` sends. With `stream: false` the "
            "answer is the whole turn, once the reply has ended, failed or stopped: read `assistant_message.state`."
        ),
        request=AgentBody,
        parameters=[SESSION_HEADER],
        responses={
            (200, "text/event-stream"): STREAMED,
            (200, "application/json"): OpenApiResponse(shapes.TurnData, examples=[WHOLE], description="The turn."),
        },
        examples=[
            OpenApiExample(
                "A question in a course",
                value={"message": "Why does it diverge?", "course_id": shapes.ID, "client_id": "a3f390d8"},
                request_only=True,
            ),
            OpenApiExample(
                "From useChat",
                value={
                    "id": "k3vN1x",
                    "trigger": "submit-message",
                    "messages": [
                        {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "Why does it diverge?"}]}
                    ],
                },
                request_only=True,
            ),
        ],
    )
    def post(self) -> None:
        """Described only: the view answers."""


class DescribedStream(APIView):
    """Follow a running reply."""

    tag = "agent"

    @extend_schema(
        operation_id="agent_stream",
        summary="Rejoin the running reply from its first token",
        description="204 when none runs.",
        parameters=[SESSION_HEADER],
        responses={(200, "text/event-stream"): STREAMED, 204: OpenApiResponse(description="No reply is running.")},
    )
    def get(self) -> None:
        """Described only: the view answers."""


def described(by: type[APIView]) -> Callable[[V], V]:
    """Say with which DRF view an async view is described."""

    def mark(view: V) -> V:
        view.cls, view.initkwargs = by, {}  # type: ignore[attr-defined]
        return view

    return mark
