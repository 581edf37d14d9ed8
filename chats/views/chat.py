"""A conversation's page, one of its messages, and what an answer stands on."""

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from chats.markup import plain_text
from chats.models import ChatSession, Citation, Message
from chats.services import history, sessions
from chats.views.transcript import shown, source, transcript
from core.doors import SignedInRequest, page
from core.errors import NotFound
from core.ids import parse_uuid, uuid7
from courses.models import Course, Passage

NEAR = 300  # characters of the neighbouring passages shown around a quote


@require_GET
@page
def show(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    """A conversation; asked for by htmx only its transcript, or the part before a message."""
    session = _with_course(sessions.find(user=request.user, session_id=session_id))
    return show_session(request, session)


def show_session(
    request: SignedInRequest, session: ChatSession, *, text: str = "", note: str = "", status: int = 200
) -> HttpResponse:
    """The conversation's page; `text` and `note` bring back a question that could not be taken."""
    before, at = request.GET.get("before"), request.GET.get("at")
    context = transcript(session=session, before=before, at=at)
    if request.htmx:
        return render(request, "chats/_transcript.html", context)
    context |= {
        "limit": settings.MESSAGE_MAX_CHARS,
        "client_id": uuid7(),
        "renaming": "rename" in request.GET,
        "editing": parse_uuid(request.GET.get("edit")),
        "stop_url": f"/chats/{session.pk}/stop",
        "text": text,
        "note": note,
    }
    return render(request, "chats/session.html", context, status=status)


def _with_course(session: ChatSession) -> ChatSession:
    if session.course_id is not None:
        session.course = Course.objects.get(pk=session.course_id)
    return session


def own_message(request: SignedInRequest, session_id: UUID, message_id: UUID) -> Message:
    found = Message.objects.for_user(request.user).filter(session_id=session_id, pk=message_id)
    if not found.exists():
        raise NotFound
    return history.message(message_id)


@require_GET
@page
def message(request: SignedInRequest, session_id: UUID, message_id: UUID) -> HttpResponse:
    """One message as a fragment, to be edited with `edit`."""
    return render_message(request, own_message(request, session_id, message_id))


def render_message(request: SignedInRequest, message: Message) -> HttpResponse:
    session = ChatSession.objects.for_user(request.user).get(pk=message.session_id)
    context = {
        "session": session,
        "turn": shown(message, is_last=message.pk == session.head_id),
        "editing": message.pk if "edit" in request.GET else None,
    }
    return render(request, "chats/_message.html", context)


@require_GET
@page
def sources(request: SignedInRequest, session_id: UUID, message_id: UUID) -> HttpResponse:
    """The passages that an answer was given, each in its surroundings, as a fragment."""
    message = own_message(request, session_id, message_id)
    citations = [citation for citation in message.citations.all() if citation.cited is not False]
    around = _surroundings(request, citations)
    shown_sources = [
        {
            "marker": citation.marker,
            "document_title": citation.document_title,
            "quote": citation.quote,
            "place": source(citation).place,
            "url": source(citation).url,
            **around.get(citation.passage_id, {}),
        }
        for citation in citations
    ]
    return render(request, "chats/_sources.html", {"sources": shown_sources})


def _surroundings(request: SignedInRequest, citations: list[Citation]) -> dict[UUID | None, dict[str, str]]:
    """What stands before and after each cited passage in its document, in two queries."""
    cited = {
        passage.pk: passage
        for passage in Passage.objects.for_user(request.user).filter(
            pk__in=[citation.passage_id for citation in citations if citation.passage_id]
        )
    }
    places = {(passage.document_id, passage.position + step) for passage in cited.values() for step in (-1, 1)}
    rows = Passage.objects.for_user(request.user).filter(
        document_id__in={document for document, _ in places}, position__in={position for _, position in places}
    )
    texts = {
        (row["document_id"], row["position"]): row["text"] for row in rows.values("document_id", "position", "text")
    }
    return {
        passage.pk: {
            "before": _end_of(texts.get((passage.document_id, passage.position - 1), "")),
            "after": plain_text(texts.get((passage.document_id, passage.position + 1), ""), NEAR),
        }
        for passage in cited.values()
    }


def _end_of(text: str) -> str:
    plain = plain_text(text[-3 * NEAR :], 3 * NEAR)
    return plain if len(plain) <= NEAR else "… " + plain[-NEAR:].split(" ", 1)[-1]
