"""A person's own page: tokens shown once, one's own data and nobody else's, chats removed for good."""

import json
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chats.models import ChatSession
from core.models import ApiToken

from .conftest import MakeConversation

pytestmark = pytest.mark.django_db


def test_a_token_is_shown_once_works_and_ends_when_it_is_revoked(as_student: Client) -> None:
    page = as_student.post("/account/tokens", {"name": "My notebook", "days": "7"})
    found = re.search(r'class="input secret" readonly value="([^"]+)"', page.content.decode())
    assert found is not None
    secret = found[1]
    assert "no-store" in page["Cache-Control"]
    assert secret not in as_student.get("/account").content.decode()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert Client().get("/api/courses", headers=bearer).status_code == 200
    as_student.post("/account/tokens/revoke", {"token": ApiToken.objects.get().token_key})
    assert Client().get("/api/courses", headers=bearer).status_code == 401


@pytest.mark.parametrize("given", [{"name": "x" * 101}, {"name": "\x00"}, {"days": "0"}, {"days": "x"}, {"days": "²"}])
def test_a_token_that_can_not_be_is_refused_in_words(as_student: Client, given: dict[str, str]) -> None:
    page = as_student.post("/account/tokens", {"name": "fine", **given}, follow=True)
    assert page.status_code == 200
    assert 'class="notice error"' in page.content.decode()
    assert not ApiToken.objects.exists()


def test_nobody_revokes_the_token_of_another(as_student: Client, as_outsider: Client) -> None:
    as_student.post("/account/tokens", {"name": "mine"})
    key = ApiToken.objects.get().token_key
    assert as_outsider.post("/account/tokens/revoke", {"token": key}).status_code == 404
    assert ApiToken.objects.exists()


def test_the_export_holds_ones_own_data_only(
    as_student: Client, make_conversation: MakeConversation, teammate: User
) -> None:
    make_conversation(1, title="Mine")
    make_conversation(1, title="Not mine", user=teammate)
    response = as_student.get("/account/export")
    assert response["Content-Disposition"].startswith("attachment")
    held = json.loads(response.content)
    assert held["account"]["username"] == "student"
    assert "Mine" in response.content.decode()
    assert "Not mine" not in response.content.decode()


def test_all_of_ones_own_chats_are_removed_for_good_if_one_is_sure(
    as_student: Client, make_conversation: MakeConversation, teammate: User
) -> None:
    make_conversation(2)
    kept = make_conversation(1, user=teammate)
    as_student.post("/account/delete-chats")
    assert ChatSession.objects.count() == 2
    page = as_student.post("/account/delete-chats", {"sure": "yes"}, follow=True)
    assert "1 chat removed." in page.content.decode()
    assert list(ChatSession.objects.all()) == [kept]


def test_the_theme_is_kept_without_script_too(as_student: Client) -> None:
    as_student.post("/account/theme", {"theme": "dark"})
    assert 'data-theme="dark"' in as_student.get("/account").content.decode()
    as_student.post("/account/theme", {"theme": "pink"})
    assert 'data-theme="dark"' in as_student.get("/account").content.decode()


@pytest.mark.parametrize("path", ["", "/export", "/tokens", "/tokens/revoke", "/delete-chats", "/delete"])
def test_a_visitor_is_sent_to_sign_in(client: Client, path: str) -> None:
    ask = client.get if path in ("", "/export") else client.post
    assert ask(f"/account{path}")["Location"].startswith("/accounts/login/")


def test_an_account_is_removed_with_a_receipt_if_its_name_is_typed(
    as_student: Client, make_conversation: MakeConversation, student: User, teammate: User
) -> None:
    make_conversation(2)
    make_conversation(1, user=teammate)
    as_student.post("/account/delete", {"username": "Student"})
    assert User.objects.filter(pk=student.pk).exists()
    receipt = as_student.post("/account/delete", {"username": "student"}).content.decode()
    assert re.search(r"conversations</th><td>1</td>", receipt), receipt
    assert not User.objects.filter(pk=student.pk).exists()
    assert ChatSession.objects.get().user == teammate
    assert as_student.get("/account")["Location"].startswith("/accounts/login/")


def test_an_operator_does_not_remove_their_own_account(client: Client, operator: User) -> None:
    client.force_login(operator)
    assert client.post("/account/delete", {"username": "operator"}).status_code == 403
    assert User.objects.filter(pk=operator.pk).exists()
