"""Finding a chat again: by what was said in it, and among those that were put away."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from chats import search
from chats.services import sessions
from core.doors import SignedInRequest, page

MOST = 200
PAGE = 20
LAST_PAGE = 50


def results(request: SignedInRequest, query: str) -> HttpResponse:
    """The conversations that match, best first, with marked pieces that lead to their message."""
    given = request.GET.get("page", "1")
    number = min(int(given), LAST_PAGE) if given.isascii() and given.isdecimal() and len(given) < 4 else 1
    number = max(number, 1)
    found = search.search(user=request.user, query=query, limit=PAGE, offset=(number - 1) * PAGE)
    context: dict[str, Any] = {"query": query, "hits": found.hits, "total": found.total}
    if found.total > number * PAGE:
        context["more"] = urlencode({"q": query, "page": number + 1})
    return render(request, "chats/search.html", context)


@require_GET
@page
def put_away(request: SignedInRequest) -> HttpResponse:
    """Archived chats, and deleted ones that can still be brought back."""
    archived = sessions.visible(user=request.user, state="archived").select_related("course")
    deleted = sessions.visible(user=request.user, state="deleted").select_related("course")
    context = {
        "archived": archived.order_by("-last_activity_at", "-id")[:MOST],
        "deleted": deleted.order_by("-deleted_at")[:MOST],
    }
    return render(request, "chats/archive.html", context)
