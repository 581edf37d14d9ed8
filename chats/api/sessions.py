"""Conversations over REST."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from chats import replies
from chats.api import shapes
from chats.models import ChatSession
from chats.representation import message_data, session_data
from chats.search import SessionHit, search
from chats.services import branches, history, sessions
from core.api.errors import PreconditionFailed
from core.api.pages import page_response
from core.api.schema import operation
from core.api.views import ApiViewSet, StatusData
from core.errors import Conflict
from core.ids import parse_uuid

IF_MATCH = "Answers carry the session's version as `ETag`; send it as `If-Match` and a change made elsewhere is a 412."


class SessionsView(ApiViewSet):
    """My conversations."""

    tag = "sessions"
    bodies = {"create": shapes.NewSessionBody}

    @operation(
        "List or search my sessions",
        name="sessions",
        description=(
            "Newest activity first. With `search`, those whose messages or name match, best first, each with "
            "`name_snippet` and `hits`; `total` then counts the conversations among the newest 300 matching texts."
        ),
        parameters=[shapes.SessionsQuery],
        answer=shapes.SessionListData,
        answers={"sessions": [shapes.SESSION], "total": 1, "page": 1, "limit": 20},
    )
    def list(self, request: Request) -> Response:
        given = self.query(shapes.SessionsQuery)
        page, limit = given["page"], given["limit"]
        rows = _filtered(request, given)
        if query := given.get("search"):
            found = search(
                user=request.user, query=query, limit=limit, offset=(page - 1) * limit, within=sessions.listed(rows)
            )
            items, total = [_hit_data(hit) for hit in found.hits], found.total
        else:
            # The page's ids come out of an index; only its own rows are read, however many are skipped.
            ids = rows.newest_first().values("pk")[(page - 1) * limit : page * limit]
            listed = sessions.listed(ChatSession.objects.filter(pk__in=ids).newest_first())
            items, total = [session_data(session) for session in listed], rows.count()
        return page_response(request, "sessions", items, total=total, page=page, limit=limit)

    @operation(
        "Start a session",
        name="create_session",
        body=shapes.NewSessionBody,
        sends={"course_id": shapes.ID, "client_id": "8f14e45f", "session_name": "Exam preparation"},
        answer=shapes.SessionData,
        answers=shapes.SESSION,
        status=201,
    )
    def create(self, request: Request) -> Response:
        given = self.body()
        session, _ = sessions.create(
            user=request.user,
            course_id=given.get("course_id"),
            client_id=given.get("client_id"),
            external_id=given.get("external_id"),
            title=given.get("session_name") or "",
            description=given.get("description") or "",
            context_data=given.get("context_data"),
            metadata=given.get("metadata"),
        )
        return _session_response(session, status=201)


class SessionView(ApiViewSet):
    """One conversation, by its id or by your `external_id` for it."""

    tag = "sessions"
    throttle_kinds = {"regenerate": "send"}
    bodies = {
        "update": shapes.SessionChanges,
        "partial_update": shapes.SessionChanges,
        "branch": shapes.BranchBody,
        "stop": shapes.StopBody,
        "regenerate": shapes.RegenerateBody,
    }

    @operation(
        "Read a session",
        name="session",
        parameters=[shapes.SessionQuery],
        answer=shapes.SessionData,
        answers=shapes.SESSION,
    )
    def retrieve(self, request: Request, session_id: str) -> Response:
        given = self.query(shapes.SessionQuery)
        session = sessions.find(user=request.user, session_id=session_id, state=given["state"])
        more: dict[str, Any] = {}
        if given.get("include"):
            more["messages"] = [message_data(message) for message in history.page(session=session).messages]
        self.shown = session_data(session)
        return _session_response(session, **more)

    @operation(
        "Change a session",
        name="change_session",
        description=IF_MATCH,
        body=shapes.SessionChanges,
        sends={"session_name": "Exam preparation", "pinned": True},
        answer=shapes.SessionData,
        answers={**shapes.SESSION, "session_name": "Exam preparation", "pinned": True},
    )
    def partial_update(self, request: Request, session_id: str) -> Response:
        return self._change(request, session_id)

    @operation(
        "Change a session (the same as PATCH: what is not named stays)",
        name="put_session",
        description=IF_MATCH,
        body=shapes.SessionChanges,
        sends={"session_name": "Exam preparation"},
        answer=shapes.SessionData,
        answers=shapes.SESSION,
    )
    def update(self, request: Request, session_id: str) -> Response:
        return self._change(request, session_id)

    def _change(self, request: Request, session_id: str) -> Response:
        session = sessions.find(user=request.user, session_id=session_id)
        given = self.body()
        changes: dict[str, Any] = {name: given[name] for name in ("pinned", "archived") if name in given}
        for name, field, blank in (
            ("session_name", "title", ""),
            ("description", "description", ""),
            ("context_data", "context_data", {}),
            ("metadata", "metadata", {}),
        ):
            if name in given:
                changes[field] = blank if given[name] is None else given[name]
        expected = _expected_version(request, session)
        try:
            changed = sessions.update(user=request.user, session_id=session.pk, expected_version=expected, **changes)
        except Conflict as error:
            raise PreconditionFailed from error
        return _session_response(changed)

    @operation(
        "Delete a session",
        name="delete_session",
        description="It can be restored for a while; with `permanent=true` it is gone. A running reply is stopped.",
        parameters=[shapes.DeleteQuery],
        answer=StatusData,
        answers={"status": "deleted"},
    )
    def destroy(self, request: Request, session_id: str) -> Response:
        permanent = self.query(shapes.DeleteQuery)["permanent"]
        sessions.delete(user=request.user, session_id=session_id, permanent=permanent)
        return Response({"status": "deleted"})

    @operation("Restore a deleted session", name="restore", answer=shapes.SessionData, answers=shapes.SESSION)
    def restore(self, request: Request, session_id: str) -> Response:
        return _session_response(sessions.restore(user=request.user, session_id=session_id))

    @operation(
        "Show the branch that a message is on",
        name="branch",
        body=shapes.BranchBody,
        sends={"message_id": shapes.ID},
        answer=shapes.SessionData,
        answers=shapes.SESSION,
    )
    def branch(self, request: Request, session_id: str) -> Response:
        sessions.find(user=request.user, session_id=session_id)
        message_id = self.body()["message_id"]
        return _session_response(branches.show(user=request.user, session_id=session_id, message_id=message_id))

    @operation(
        "Have the session named",
        name="generate_title",
        answer=shapes.NameData,
        answers={"session_name": "Why the loss diverges"},
    )
    def generate_title(self, request: Request, session_id: str) -> Response:
        return Response({"session_name": replies.generate_title(user=request.user, session_id=session_id)})

    @operation(
        "Stop the running reply",
        name="stop",
        body=shapes.StopBody,
        sends={},
        answer=StatusData,
        answers={"status": "stopping"},
    )
    def stop(self, request: Request, session_id: str) -> Response:
        sessions.find(user=request.user, session_id=session_id)
        reply_id = self.body().get("reply_id")
        stopping = replies.stop(user=request.user, session_id=session_id, reply_id=reply_id)
        return Response({"status": "stopping" if stopping else "idle"})

    @operation(
        "Answer a question anew",
        name="regenerate",
        description="Beside the answers it has. The reply is made on; read or stream it.",
        body=shapes.RegenerateBody,
        sends={"message_id": shapes.ID, "client_id": "c9f0f895"},
        answer=shapes.TurnData,
        answers=shapes.TURN,
        status=202,
    )
    def regenerate(self, request: Request, session_id: str) -> Response:
        sessions.find(user=request.user, session_id=session_id)
        given = self.body()
        turn = replies.regenerate(
            user=request.user,
            session_id=session_id,
            message_id=given.get("message_id"),
            client_id=given.get("client_id"),
        )
        return Response(turn_data(turn), status=202)


def turn_data(turn: Any) -> dict[str, Any]:
    """A question with its reply, both whole."""
    reply = turn.reply
    return {
        "session_id": str(turn.session.pk),
        "user_message": message_data(history.message(turn.user_message.pk)),
        "assistant_message": None if reply is None else message_data(history.message(reply.pk)),
    }


def _filtered(request: Request, given: dict[str, Any]) -> Any:
    rows = sessions.visible(user=request.user, state=given["state"])
    if given.get("course_id"):
        course_id = parse_uuid(given["course_id"])
        rows = rows.filter(course_id=course_id) if course_id else rows.none()
    if given["pinned"] is not None:
        rows = rows.filter(pinned_at__isnull=not given["pinned"])
    return rows


def _session_response(session: ChatSession, status: int = 200, **more: Any) -> Response:
    response = Response({**session_data(session), **more}, status=status)
    response["ETag"] = f'"{sessions.version(session)}"'
    return response


def _expected_version(request: Request, session: ChatSession) -> str | None:
    """The version that `If-Match` asks for: the present one if it is among them, else one that can't be."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    versions = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    present = sessions.version(session)
    return present if present in versions else versions[0]


def _hit_data(hit: SessionHit) -> dict[str, Any]:
    return {
        **session_data(hit.session),
        "name_snippet": hit.title.html,
        "hits": [
            {
                "message_id": message.message_id,
                "role": message.role,
                "created_at": message.created_at,
                "snippet": message.snippet.html,
            }
            for message in hit.messages
        ],
    }
