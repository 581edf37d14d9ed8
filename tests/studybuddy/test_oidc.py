"""Signing in by an OpenID Connect provider of OIDC_PROVIDERS."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from tests.fakes.oidc import Provider, running_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    cache.clear()
    with running_provider() as running:
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [running.entry()], "OAUTH_PKCE_ENABLED": True}}
        yield running


def go_through(client: Client, query: str = "?process=login") -> Any:
    """Click the provider's button, be sent there and back; the site's answer to the return."""
    away = client.post(f"/accounts/oidc/uni/login/{query}")
    assert away.status_code == 302
    back = httpx.get(away["Location"]).headers["Location"]
    assert back.startswith("http://testserver/accounts/oidc/uni/login/callback/?")
    return client.get(back.removeprefix("http://testserver"))


def is_signed_in(client: Client) -> bool:
    return client.get("/chats").status_code == 200


def test_the_sign_in_page_offers_the_provider_by_a_form(client: Client, provider: Provider) -> None:
    html = client.get("/accounts/login/?next=/courses").content.decode()
    assert "The University" in html
    assert '<form method="post" action="/accounts/oidc/uni/login/?process=login&amp;next=%2Fcourses">' in html


def test_whom_the_provider_knows_is_let_in_even_where_sign_up_is_closed(
    client: Client, provider: Provider, settings: Settings
) -> None:
    settings.SIGNUP_OPEN = False
    assert go_through(client, "?process=login&next=/courses")["Location"] == "/courses"
    assert is_signed_in(client)
    ada = User.objects.get()
    assert (ada.username, ada.email, ada.has_usable_password()) == ("ada", "ada@uni.example", False)
    go_through(Client())
    assert User.objects.count() == 1


def test_a_claimed_mail_address_opens_nobody_elses_account(client: Client, provider: Provider, student: User) -> None:
    provider.person |= {"email": student.email, "email_verified": False, "preferred_username": "student"}
    go_through(client)
    assert not is_signed_in(client) or client.session["_auth_user_id"] != str(student.pk)


def test_whoever_says_no_at_the_provider_comes_back_to_a_page(client: Client, provider: Provider) -> None:
    provider.refuses = True
    answer = go_through(client)
    page = client.get(answer["Location"]) if answer.status_code == 302 else answer
    assert page.status_code == 200
    assert not is_signed_in(client)


def test_a_return_that_this_browser_did_not_begin_signs_nobody_in(client: Client, provider: Provider) -> None:
    away = Client().post("/accounts/oidc/uni/login/?process=login")
    back = httpx.get(away["Location"]).headers["Location"].removeprefix("http://testserver")
    assert client.get(back).status_code == 401
    assert not is_signed_in(client)


def test_a_click_elsewhere_starts_no_sign_in(client: Client, provider: Provider) -> None:
    assert client.get("/accounts/oidc/uni/login/").status_code == 200  # it asks first
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/accounts/oidc/uni/login/").status_code == 403


def test_an_unknown_provider_is_not_there(client: Client, provider: Provider) -> None:
    assert client.get("/accounts/oidc/other/login/").status_code == 404


def test_a_provider_that_is_away_gives_a_page_and_no_traceback(client: Client, settings: Settings) -> None:
    with running_provider() as gone:
        entry = gone.entry()
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [entry]}}
    answer = client.post("/accounts/oidc/uni/login/?process=login")
    assert answer.status_code == 401
    assert 'class="alone"' in answer.content.decode()
    assert not is_signed_in(client)
