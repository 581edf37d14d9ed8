"""What one can do to a conversation from its page: each an ordinary form, with or without script."""

from urllib.parse import urlsplit
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from chats import replies
from chats.services import branches, sessions
from chats.services import feedback as feedbacks
from chats.views import chat
from core.doors import SignedInRequest, own_path, page, status_of
from core.errors import DomainError, Forbidden, NotFound


@require_POST
@page
def ask(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    """Ask; a question that can't be taken comes back in the composer with the reason."""
    text, client_id = request.POST.get("text", ""), request.POST.get("client_id") or None
    try:
        replies.ask(user=request.user, session_id=session_id, text=text, client_id=client_id)
    except (NotFound, Forbidden):
        raise
    except DomainError as error:
        if request.htmx:
            raise
        session = sessions.find(user=request.user, session_id=session_id)
        return chat.show_session(request, session, text=text, note=error.detail, status=status_of(error))
    return _back(request, session_id)


@require_POST
@page
def stop(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    replies.stop(user=request.user, session_id=session_id)
    return _back(request, session_id)


@require_POST
@page
def edit(request: SignedInRequest, session_id: UUID, message_id: UUID) -> HttpResponse:
    text = request.POST.get("text", "")
    replies.edit(user=request.user, message_id=chat.own_message(request, session_id, message_id).pk, text=text)
    return _back(request, session_id)


@require_POST
@page
def regenerate(request: SignedInRequest, session_id: UUID, message_id: UUID) -> HttpResponse:
    replies.regenerate(user=request.user, session_id=session_id, message_id=message_id)
    return _back(request, session_id)


@require_POST
@page
def branch(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    """Show another version. Answers htmx with the transcript."""
    session = branches.show(user=request.user, session_id=session_id, message_id=request.POST.get("message"))
    return chat.show_session(request, session) if request.htmx else _back(request, session_id)


@require_POST
@page
def feedback(request: SignedInRequest, session_id: UUID, message_id: UUID) -> HttpResponse:
    message = chat.own_message(request, session_id, message_id)
    given = request.POST.get("rating", "")
    rating = int(given) if given in ("-1", "0", "1") else 2  # the service refuses what is no rating
    rated = feedbacks.rate(
        user=request.user, message_id=message.pk, rating=rating, comment=request.POST.get("comment", "")[:2000]
    )
    return chat.render_message(request, rated) if request.htmx else _back(request, session_id, message_id)


@require_POST
@page
def rename(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    sessions.update(user=request.user, session_id=session_id, title=request.POST.get("title", ""))
    return _back(request, session_id)


@require_POST
@page
def pin(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    sessions.update(user=request.user, session_id=session_id, pinned=request.POST.get("on") == "1")
    return _back(request, session_id)


@require_POST
@page
def archive(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    sessions.update(user=request.user, session_id=session_id, archived=request.POST.get("on") == "1")
    return _back(request, session_id)


@require_POST
@page
def delete(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    """Put the chat away; the page that follows offers to bring it back."""
    sessions.delete(user=request.user, session_id=session_id)
    page_before = urlsplit(own_path(request.POST.get("back", "")))
    if page_before.path in ("", f"/chats/{session_id}", f"/chats/{session_id}/menu"):
        return redirect(f"/chats?deleted={session_id}")
    query = QueryDict(page_before.query, mutable=True)
    query["deleted"] = str(session_id)
    return redirect(page_before._replace(query=query.urlencode()).geturl())


@require_POST
@page
def restore(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    sessions.restore(user=request.user, session_id=session_id)
    return _back(request, session_id)


def _back(request: SignedInRequest, session_id: UUID, message_id: UUID | None = None) -> HttpResponse:
    if request.htmx:
        return HttpResponse(status=204)
    if back := own_path(request.POST.get("back", "")):
        return redirect(back)
    address = redirect("chats:session", session_id)
    if message_id:
        address["Location"] += f"#m-{message_id}"
    return address
