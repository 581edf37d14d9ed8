"""Asking the tutor and following its reply over HTTP: `/api/agent/chat`, as AI SDK clients do.

These are plain async views: a DRF view is sync and would hold a thread for as long as the reply takes. Who asks, how
often, and the turn itself are settled on a database thread; then no connection is held while the reply is watched.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated, Throttled
from rest_framework.request import Request

from chats import replies
from chats.api import ai_sdk
from chats.api.agent_body import AgentBody, Asked, read
from chats.api.agent_docs import DescribedChat, DescribedStream, described
from chats.api.sessions import turn_data
from chats.models import ChatSession, Message
from chats.services import branches, history, sessions, turns
from chats.services.turns import Turn
from core.api.authentication import BearerAuthentication, CookieAuthentication
from core.api.errors import answer_to
from core.api.fields import checked
from core.api.parsers import JsonParser
from core.api.throttles import Throttle
from core.database import in_database
from core.errors import Conflict, NotFound

log = structlog.get_logger(__name__)
View = Callable[..., Awaitable[HttpResponseBase]]


def door(*methods: str) -> Callable[[View], View]:
    """An async API view: refusals look as everywhere in the API."""

    def wrap(view: View) -> View:
        @csrf_exempt  # the cookie authenticator checks it
        async def answered(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
            try:
                if request.method not in methods:
                    raise MethodNotAllowed(str(request.method))
                return await view(request, *args, **options)
            except Exception as error:  # noqa: BLE001 - the one handler knows what is whose mistake
                refusal = answer_to(error, request)
                headers = {"Allow": ", ".join(methods)} if refusal.status == 405 else {}
                return JsonResponse(refusal.body, status=refusal.status, headers={**refusal.headers, **headers})

        return answered

    return wrap


@described(DescribedChat)
@door("POST")
async def chat(request: HttpRequest) -> HttpResponseBase:
    """Ask, or have a question answered anew; stream the reply or await its end."""
    asked, turn = await in_database(_take, request)
    reply = turn.reply
    if reply is None:
        raise Conflict("This question is there already, and was not to be answered.")
    if asked.stream or "text/event-stream" in request.headers.get("Accept", ""):
        return _stream(turn.session, reply)
    await _ended(reply)
    response = JsonResponse(await in_database(turn_data, turn))
    response["X-Session-Id"] = str(turn.session.pk)
    return response


@described(DescribedStream)
@door("GET")
async def rejoin(request: HttpRequest, session_id: str) -> HttpResponseBase:
    """Stream the running reply from its first token; 204 when none runs."""
    session, reply = await in_database(_running, request, session_id)
    if reply is None:
        return HttpResponse(status=204, headers={"X-Session-Id": str(session.pk)})
    return _stream(session, reply)


def _admit(request: HttpRequest, kind: str) -> Request:
    """The request with its user. Raises NotAuthenticated, AuthenticationFailed, CsrfFailed, Throttled."""
    known = Request(
        request,
        parsers=[JsonParser()],
        authenticators=[BearerAuthentication(), CookieAuthentication()],
        parser_context={"request": request},
    )
    if not known.user or not known.user.is_authenticated:
        raise NotAuthenticated
    throttle = Throttle()
    if not throttle.allows(known, kind):
        raise Throttled(wait=throttle.wait())
    return known


def _take(request: HttpRequest) -> tuple[Asked, Turn]:
    known = _admit(request, "send")
    asked = read(checked(AgentBody, known.data))
    turn = _regenerate(known.user, asked) if asked.regenerates else _ask(known.user, asked)
    if turn.created and turn.reply is not None:
        replies.start(turn.reply.pk)
    return asked, turn


@transaction.atomic
def _ask(user: Any, asked: Asked) -> Turn:
    """The turn, and the session if there is none yet: both or neither."""
    session = _session(user, asked)
    text = asked.text or ""
    if asked.message_id:
        try:
            message = branches.message_of(session, asked.message_id)
        except NotFound:
            message = None  # a message that never arrived here: it is asked now
        if message is not None:
            return turns.edit(user=user, message_id=message.pk, text=text, client_id=asked.client_id, model=asked.model)
    return turns.ask(
        user=user,
        session_id=session.pk,
        text=text,
        client_id=asked.client_id,
        document_id=asked.document_id,
        lecture_id=asked.lecture_id,
        model=asked.model,
    )


def _regenerate(user: Any, asked: Asked) -> Turn:
    session = sessions.find(user=user, session_id=asked.session_id or asked.name)
    return turns.regenerate(
        user=user,
        session_id=session.pk,
        message_id=asked.message_id,
        client_id=asked.client_id,
        model=asked.model,
    )


def _session(user: Any, asked: Asked) -> ChatSession:
    """The session that is named, or a new one that keeps the client's name for it."""
    if asked.session_id:
        return sessions.find(user=user, session_id=asked.session_id)
    if asked.name:
        try:
            return sessions.find(user=user, session_id=asked.name)
        except NotFound:
            # One that was deleted keeps its name and is not there.
            if sessions.visible(user=user, state="deleted").filter(external_id=asked.name).exists():
                raise
    session, _ = sessions.create(
        user=user,
        course_id=asked.course_id,
        client_id=None if asked.name else asked.client_id,
        external_id=asked.name,
    )
    return session


def _running(request: HttpRequest, session_id: str) -> tuple[ChatSession, Message | None]:
    known = _admit(request, "other")
    session = sessions.find(user=known.user, session_id=session_id)
    return session, Message.objects.running().filter(session=session).first()


def _stream(session: ChatSession, reply: Message) -> StreamingHttpResponse:
    frames = _frames(ai_sdk.Encoder(reply_id=reply.pk, session_id=session.pk))
    headers = {**ai_sdk.HEADERS, "X-Session-Id": str(session.pk)}
    return StreamingHttpResponse(frames, content_type="text/event-stream", headers=headers)


async def _frames(encoder: ai_sdk.Encoder) -> AsyncIterator[str]:
    try:
        async for frame in _live_frames(encoder):
            yield frame
        if not encoder.is_over:
            reply = await in_database(history.message, encoder.reply_id)
            for frame in encoder.end(reply):
                yield frame
    except Exception:
        log.exception("stream failed", reply_id=str(encoder.reply_id))
        for frame in encoder.fail(ai_sdk.UNFINISHED):
            yield frame


async def _live_frames(encoder: ai_sdk.Encoder) -> AsyncIterator[str]:
    """Frames while the reply runs; none when it has ended already."""
    try:
        async with replies.watch(encoder.reply_id) as events:
            while not encoder.is_over:
                try:
                    async with asyncio.timeout(settings.STREAM_COMMENT_MS / 1000):
                        event = await anext(events)
                except TimeoutError:
                    yield ai_sdk.COMMENT
                    continue
                except StopAsyncIteration:
                    return
                frames = "".join(encoder.take(event))
                if frames:
                    yield frames
    except NotFound:
        return


async def _ended(reply: Message) -> None:
    """Wait until the reply is final."""
    try:
        async with replies.watch(reply.pk) as events:
            async for _ in events:
                pass
    except NotFound:
        return
