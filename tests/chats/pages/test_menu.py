"""What one can do to a chat from the list at the side, and the notice that brings a deleted one back."""

import re

import pytest
from django.test import Client

from chats.models import ChatSession

from .conftest import MakeConversation

pytestmark = pytest.mark.django_db
ACTIONS = ("rename", "pin", "archive", "delete")


@pytest.fixture
def session(make_conversation: MakeConversation) -> ChatSession:
    return make_conversation(1, title="Slopes")


@pytest.fixture
def other(make_conversation: MakeConversation) -> ChatSession:
    """The chat that one is reading meanwhile."""
    return make_conversation(1, title="Trees")


def test_each_chat_in_the_list_leads_to_its_actions(as_student: Client, session: ChatSession) -> None:
    listed = as_student.get("/chats").content.decode()
    assert f'href="/chats/{session.pk}/menu"' in listed
    assert re.search(r"More about <span[^>]*>Slopes</span>", listed)
    page = as_student.get(f"/chats/{session.pk}/menu").content.decode()
    assert '<main id="main"' in page
    assert '<form method="post"' in page
    for action in ACTIONS:
        assert f'action="/chats/{session.pk}/{action}"' in page
    assert f'href="/api/sessions/{session.pk}/export?format=markdown"' in page


def test_a_dialog_gets_the_same_as_a_fragment(as_student: Client, session: ChatSession) -> None:
    fragment = as_student.get(f"/chats/{session.pk}/menu", headers={"HX-Request": "true"}).content.decode()
    assert "<main" not in fragment
    assert all(f'action="/chats/{session.pk}/{action}"' in fragment for action in ACTIONS)


def test_a_strangers_chat_has_no_menu(as_outsider: Client, session: ChatSession) -> None:
    response = as_outsider.get(f"/chats/{session.pk}/menu")
    assert response.status_code == 404
    assert "Slopes" not in response.content.decode()


@pytest.mark.parametrize("header", ["Referer", "HX-Current-URL"])
def test_one_comes_back_to_where_one_was(
    as_student: Client, session: ChatSession, other: ChatSession, header: str
) -> None:
    here = f"/chats/{other.pk}?at=x"
    menu = as_student.get(f"/chats/{session.pk}/menu", headers={header: f"http://testserver{here}#m-1"})
    back = re.search(r'name="back" value="([^"]+)"', menu.content.decode())
    assert back
    assert back[1] == here
    renamed = as_student.post(f"/chats/{session.pk}/rename", {"title": "Hills", "back": here})
    assert renamed["Location"] == here
    session.refresh_from_db()
    assert session.title == "Hills"
    deleted = as_student.post(f"/chats/{session.pk}/delete", {"back": here})
    assert deleted["Location"] == f"{here}&deleted={session.pk}"


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "////evil.example", "javascript:x", "x"])
def test_no_form_leads_to_another_site(as_student: Client, session: ChatSession, back: str) -> None:
    pinned = as_student.post(f"/chats/{session.pk}/pin", {"on": "1", "back": back})
    assert pinned["Location"] == f"/chats/{session.pk}"
    menu = as_student.get(f"/chats/{session.pk}/menu", headers={"Referer": back})
    assert 'name="back"' not in menu.content.decode()


def test_deleting_what_one_reads_leads_to_a_new_chat(as_student: Client, session: ChatSession) -> None:
    for here in (f"/chats/{session.pk}", f"/chats/{session.pk}?at=x", f"/chats/{session.pk}/menu"):
        deleted = as_student.post(f"/chats/{session.pk}/delete", {"back": here})
        assert deleted["Location"] == f"/chats?deleted={session.pk}"
        as_student.post(f"/chats/{session.pk}/restore")


def test_the_notice_stands_on_any_page_and_undoes(as_student: Client, session: ChatSession, other: ChatSession) -> None:
    as_student.post(f"/chats/{session.pk}/delete")
    for path in ("/chats", f"/chats/{other.pk}", "/courses"):
        html = as_student.get(f"{path}?deleted={session.pk}").content.decode()
        assert re.search(r'<span role="status">“Slopes” was deleted.</span>', html), path
        assert f'action="/chats/{session.pk}/restore"' in html
    assert as_student.post(f"/chats/{session.pk}/restore")["Location"] == f"/chats/{session.pk}"
    assert "was deleted" not in as_student.get(f"/chats?deleted={session.pk}").content.decode()


def test_the_notice_tells_nobody_elses_titles(as_student: Client, as_outsider: Client, session: ChatSession) -> None:
    as_student.post(f"/chats/{session.pk}/delete")
    assert "Slopes" not in as_outsider.get(f"/chats?deleted={session.pk}").content.decode()
