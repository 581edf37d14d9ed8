"""The list of one's chats: pinned first, then by day, a page at a time."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from chats.models import ChatSession
from chats.querysets import Person
from chats.services import sessions
from core.doors import SignedInRequest, came_from, page
from core.ids import parse_uuid

PAGE = 30
MOST_PINNED = 50


@dataclass
class Group:
    label: str
    sessions: list[ChatSession] = field(default_factory=list)


@dataclass(frozen=True)
class Cursor:
    """Below which session the next page begins, and under which heading."""

    at: datetime
    id: UUID
    label: str

    def query(self) -> str:
        return urlencode({"chats_before": f"{self.at.isoformat()}~{self.id}", "chats_under": self.label})


def read_cursor(query: QueryDict) -> Cursor | None:
    """The cursor in a page's query; one that nobody here made counts as none."""
    at, _, session_id = query.get("chats_before", "").partition("~")
    try:
        moment, uuid = parse_datetime(at), parse_uuid(session_id)
    except ValueError:
        return None
    if moment is None or uuid is None or timezone.is_naive(moment):
        return None
    return Cursor(moment, uuid, query.get("chats_under", ""))


def listing(*, user: Person, cursor: Cursor | None) -> dict[str, Any]:
    """`groups` to show and `next`, the query that continues them or an empty string."""
    mine = sessions.visible(user=user, state="active").select_related("course")
    groups = []
    if cursor is None and (pinned := list(mine.filter(pinned_at__isnull=False).order_by("-pinned_at")[:MOST_PINNED])):
        groups.append(Group("Pinned", pinned))
    recent = mine.filter(pinned_at__isnull=True).order_by("-last_activity_at", "-id")
    if cursor is not None:
        same_moment = Q(last_activity_at=cursor.at, id__lt=cursor.id)
        # The first condition alone bounds the index range; the second settles equal moments.
        recent = recent.filter(Q(last_activity_at__lt=cursor.at) | same_moment, last_activity_at__lte=cursor.at)
    found = list(recent[: PAGE + 1])
    today = timezone.localdate()
    label = cursor.label if cursor else ""
    for session in found[:PAGE]:
        day = day_label(timezone.localdate(session.last_activity_at), today)
        if not groups or day != label:
            groups.append(Group("" if cursor and day == cursor.label else day))
            label = day
        groups[-1].sessions.append(session)
    more = found[PAGE - 1] if len(found) > PAGE else None
    return {"groups": groups, "next": Cursor(more.last_activity_at, more.pk, label).query() if more else ""}


def day_label(day: date, today: date) -> str:
    """ "Today", "Yesterday", "Previous 7 days", else the month."""
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    if day >= today - timedelta(days=7):
        return "Previous 7 days"
    return day.strftime("%B") if day.year == today.year else day.strftime("%B %Y")


@require_GET
@page
def menu(request: SignedInRequest, session_id: UUID) -> HttpResponse:
    """What one can do to a chat from the list: a page of its own, or for htmx a dialog's content."""
    session = sessions.find(user=request.user, session_id=session_id)
    context = {"session": session, "back": came_from(request)}
    return render(request, "chats/_menu_dialog.html" if request.htmx else "chats/menu.html", context)


@page
def more_sessions(request: SignedInRequest) -> HttpResponse:
    """The next page of the list, as a fragment."""
    return render(request, "chats/_session_list.html", listing(user=request.user, cursor=read_cursor(request.GET)))
