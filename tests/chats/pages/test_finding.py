"""Search through one's chats from the page: marked pieces that lead to their message."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chats.models import Message

from .conftest import MakeConversation

pytestmark = pytest.mark.django_db


def test_a_hit_is_marked_and_leads_to_its_message(as_student: Client, make_conversation: MakeConversation) -> None:
    session = make_conversation(30, text="Momentum dampens <b>zigzags</b>. ")
    make_conversation(1, title="Clustering")
    html = as_student.get("/chats", {"q": "zigzag"}).content.decode()
    assert "Clustering</a>" not in html
    assert "<mark>zigzags</mark>" in html
    assert "<b>" not in html
    link = re.search(r'href="(/chats/[^"]+\?at=([^"#]+))#m-\2"', html)
    assert link is not None
    assert Message.objects.get(pk=link[2]).session_id == session.pk
    assert f'id="m-{link[2]}"' in as_student.get(link[1]).content.decode()


def test_nobody_elses_chats_are_found(as_outsider: Client, make_conversation: MakeConversation, teammate: User) -> None:
    make_conversation(1, text="Momentum. ")
    client = Client()
    client.force_login(teammate)
    for stranger in (as_outsider, client):
        html = stranger.get("/chats", {"q": "momentum"}).content.decode()
        assert "<mark>" not in html
        assert "Nothing found for “momentum”" in html


@pytest.mark.parametrize(
    "query", ["<script>alert(1)</script>", '"', "' OR 1=1 --", "\x00", "*", "😀", "x" * 5000, "a AND ("]
)
@pytest.mark.parametrize("page", ["", "0", "-1", "99999999999999999999", "x", "²"])
def test_any_query_gets_a_page(as_student: Client, query: str, page: str) -> None:
    response = as_student.get("/chats", {"q": query, "page": page})
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()
