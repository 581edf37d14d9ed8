"""The messages of a conversation over REST."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from chats import replies
from chats.api import shapes
from chats.api.sessions import turn_data
from chats.models import Message
from chats.representation import message_data
from chats.services import branches, feedback, history, sessions, turns
from core.api.fields import checked, plain
from core.api.pages import add_links
from core.api.schema import operation
from core.api.views import ApiViewSet, StatusData

ALL_ROLES = tuple(Message.Role.values)


class MessagesView(ApiViewSet):
    """The shown branch of a conversation."""

    tag = "messages"
    bodies = {"create": shapes.AppendBody, "update": shapes.ReplaceBody}

    @operation(
        "Read a conversation",
        name="messages",
        description=(
            "Oldest first, the newest 200 by default; the running reply is among them with its text so far. "
            '`X-Has-More` says whether older ones exist, `Link: …; rel="prev"` where.'
        ),
        parameters=[shapes.MessagesQuery],
        answer=shapes.MessageData(many=True),
        answers=[shapes.QUESTION, shapes.REPLY],
    )
    def list(self, request: Request, session_id: str) -> Response:
        given = self.query(shapes.MessagesQuery)
        session = sessions.find(user=request.user, session_id=session_id)
        roles = ALL_ROLES if given["roles"] == "all" else history.SPOKEN
        page = history.page(session=session, limit=given["limit"], before=given.get("before"), roles=roles)
        response = Response([message_data(message) for message in page.messages])
        response["X-Has-More"] = "true" if page.has_more else "false"
        if page.has_more:
            query = request.query_params.copy()
            query["before"] = str(page.messages[0].pk)
            add_links(response, {"prev": request.build_absolute_uri(f"{request.path}?{query.urlencode()}")})
        return response

    @operation(
        "Append messages without asking a model",
        name="append_messages",
        body=shapes.AppendBody,
        sends={
            "messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}],
            "client_id": "45c48cce",
        },
        answer=shapes.MessageListData,
        answers={"messages": [shapes.QUESTION]},
        status=201,
    )
    def create(self, request: Request, session_id: str) -> Response:
        sessions.find(user=request.user, session_id=session_id)
        given = self.body()
        _, added = turns.append(
            user=request.user,
            session_id=session_id,
            messages=given["messages"],
            client_id=given.get("client_id"),
        )
        return Response({"messages": _shown(added)}, status=201)

    @operation(
        "Replace the conversation",
        name="replace_messages",
        description="By a new branch; the one before stays and can be shown again.",
        body=shapes.ReplaceBody,
        sends={"messages": [{"role": "user", "content": "Hello"}]},
        answer=shapes.MessageListData,
        answers={"messages": [shapes.QUESTION]},
    )
    def update(self, request: Request, session_id: str) -> Response:
        sessions.find(user=request.user, session_id=session_id)
        _, added = turns.replace(user=request.user, session_id=session_id, messages=self.body()["messages"])
        return Response({"messages": _shown(added)})


class MessageView(ApiViewSet):
    """One message of mine."""

    tag = "messages"
    bodies = {"partial_update": shapes.EditBody, "rate": shapes.FeedbackBody}
    throttle_kinds = {"partial_update": "send"}

    @operation("Read a message", name="message", answer=shapes.MessageData, answers=shapes.REPLY)
    def retrieve(self, request: Request, message_id: str) -> Response:
        message = branches.own_message(user=request.user, message_id=message_id)
        return Response(message_data(history.message(message.pk)))

    @operation(
        "Ask a question in other words",
        name="edit_message",
        description="Beside the first version, answered anew. With `reply=false` it is not answered: 200 then.",
        parameters=[shapes.EditQuery],
        body=shapes.EditBody,
        sends={"content": "Why does it diverge with a rate of 10?", "client_id": "d3d94468"},
        answer=shapes.TurnData,
        answers=shapes.TURN,
        status=202,
        also={200: shapes.TurnData},
    )
    def partial_update(self, request: Request, message_id: str) -> Response:
        branches.own_message(user=request.user, message_id=message_id)
        given = self.body()
        asked = checked(shapes.EditQuery, plain(request.query_params))
        wants_reply = given.get("reply", True) and asked.get("reply", True)
        turn = replies.edit(
            user=request.user,
            message_id=message_id,
            text=given["content"],
            client_id=given.get("client_id"),
            reply=wants_reply,
        )
        return Response(turn_data(turn), status=202 if turn.reply is not None else 200)

    @operation(
        "Remove a message and what follows it from view",
        name="delete_message",
        answer=StatusData,
        answers={"status": "deleted"},
    )
    def destroy(self, request: Request, message_id: str) -> Response:
        branches.remove(user=request.user, message_id=message_id)
        return Response({"status": "deleted"})

    @operation(
        "Rate a reply",
        name="rate",
        body=shapes.FeedbackBody,
        sends={"rating": 1, "comment": "Clear."},
        answer=shapes.MessageData,
        answers={**shapes.REPLY, "feedback": {"rating": 1, "comment": "Clear."}},
    )
    def rate(self, request: Request, message_id: str) -> Response:
        branches.own_message(user=request.user, message_id=message_id)
        given = self.body()
        message = feedback.rate(
            user=request.user, message_id=message_id, rating=given["rating"], comment=given.get("comment") or ""
        )
        return Response(message_data(message))


def _shown(messages: list[Message]) -> list[dict[str, Any]]:
    """Messages as they are now, in a constant number of queries."""
    ids = [message.pk for message in messages]
    rows = Message.objects.filter(pk__in=ids).defer("raw").select_related("feedback").prefetch_related("citations")
    found = {message.pk: message for message in rows}
    ordered = [found[pk] for pk in ids if pk in found]
    history.attach(ordered)
    return [message_data(message) for message in ordered]
