"""The list of one's chats: pinned first, by day, a page at a time."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chats.models import ChatSession
from chats.views.sidebar import day_label

from .conftest import MakeConversation


def listed(html: str) -> list[str]:
    return re.findall(r'<a href="/chats/[0-9a-f-]{36}"[^>]*><span data-title-of="[^"]+">([^<]*)</span>', html)


@pytest.mark.parametrize(
    ("day", "label"),
    [
        (date(2026, 3, 10), "Today"),
        (date(2026, 3, 9), "Yesterday"),
        (date(2026, 3, 3), "Previous 7 days"),
        (date(2026, 3, 2), "March"),
        (date(2026, 1, 31), "January"),
        (date(2025, 12, 31), "December 2025"),
    ],
)
def test_a_day_is_named_from_where_one_stands(day: date, label: str) -> None:
    assert day_label(day, date(2026, 3, 10)) == label


@pytest.mark.django_db
def test_pages_follow_each_other_without_gap_or_repetition(
    as_student: Client, make_sessions: Callable[[int], None]
) -> None:
    make_sessions(75)
    # Equal moments are told apart by their ids.
    ChatSession.objects.filter(title__in=["Chat 28", "Chat 29", "Chat 30", "Chat 31"]).update(
        last_activity_at=ChatSession.objects.get(title="Chat 29").last_activity_at
    )
    html = as_student.get("/chats").content.decode()
    titles = listed(html)
    assert len(titles) == 30
    while more := re.search(r'hx-get="(/chats/sidebar\?[^"]+)"', html):
        html = as_student.get(unescape(more[1]), headers={"HX-Request": "true"}).content.decode()
        titles += listed(html)
    assert len(titles) == 75
    assert set(titles) == {f"Chat {number}" for number in range(75)}


@pytest.mark.django_db
def test_the_same_queries_for_twenty_and_for_five_thousand_sessions(
    as_student: Client, make_sessions: Callable[[int], None]
) -> None:
    counts = []
    for more in (20, 4980):
        make_sessions(more)
        with CaptureQueriesContext(connection) as queries:
            assert as_student.get("/chats").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_pinned_ones_stand_first_and_archived_ones_not_at_all(
    as_student: Client, make_conversation: MakeConversation
) -> None:
    now = timezone.now()
    make_conversation(0, title="new")
    make_conversation(0, title="old but pinned", last_activity_at=now - timedelta(days=90), pinned_at=now)
    make_conversation(0, title="archived", archived_at=now)
    html = as_student.get("/chats").content.decode()
    assert listed(html) == ["old but pinned", "new"]
    assert html.index("<h2>Pinned</h2>") < html.index("<h2>Today</h2>")


@pytest.mark.django_db
def test_nobody_elses_chats_are_listed(as_student: Client, make_conversation: MakeConversation, teammate: User) -> None:
    make_conversation(0, user=teammate, title="not mine")
    assert listed(as_student.get("/chats").content.decode()) == []


@pytest.mark.django_db
@pytest.mark.parametrize("cursor", ["nonsense", "~", "2026-13-45T99:99~x", "2026-01-01T00:00:00~0", "\x00"])
def test_a_cursor_that_nobody_made_shows_the_beginning(as_student: Client, cursor: str) -> None:
    assert as_student.get("/chats/sidebar", {"chats_before": cursor}).status_code == 200
