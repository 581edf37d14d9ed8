"""Signing in and out, making an account, a forgotten password, and what happens to those who guess."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db

PASSWORD = "pass-word-1"
NEW = {"username": "grace", "email": "grace@example.org", "password1": "a-rear-admiral", "password2": "a-rear-admiral"}


@pytest.fixture(autouse=True)
def _fresh_limits() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def sign_in(client: Client, login: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/accounts/login/", {"login": login, "password": password, **more})


def is_signed_in(client: Client) -> bool:
    return client.get("/chats").status_code == 200


@pytest.mark.parametrize("login", ["student", "student@example.org"])
def test_one_signs_in_by_name_or_by_mail_address(client: Client, student: User, login: str) -> None:
    assert sign_in(client, login).status_code == 302
    assert is_signed_in(client)


@pytest.mark.parametrize(("login", "password"), [("student", "wrong"), ("nobody", PASSWORD), ("", ""), ("a\x00", "b")])
def test_a_wrong_name_or_password_reads_the_same(client: Client, student: User, login: str, password: str) -> None:
    response = sign_in(client, login, password)
    assert response.status_code == 200
    assert not is_signed_in(client)
    if login and "\x00" not in login:
        assert "username" in response.content.decode()
        assert "are not correct" in response.content.decode()


def test_an_inactive_account_is_not_let_in(client: Client, student: User) -> None:
    User.objects.update(is_active=False)
    sign_in(client, "student")
    assert not is_signed_in(client)


def test_sign_in_leads_back_to_where_one_wanted_to_go(client: Client, student: User) -> None:
    assert client.get("/courses?x=1")["Location"] == "/accounts/login/?next=/courses%3Fx%3D1"
    assert sign_in(client, "student", next="/courses?x=1")["Location"] == "/courses?x=1"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http:evil.example"],
)
def test_sign_in_and_out_lead_to_no_other_site(client: Client, student: User, elsewhere: str) -> None:
    assert sign_in(client, "student", next=elsewhere)["Location"] == "/"
    assert client.get("/accounts/login/", {"next": elsewhere})["Location"] == "/"
    assert client.post("/accounts/logout/", {"next": elsewhere})["Location"] == "/"


def test_signing_out_takes_a_click_and_ends_the_session(client: Client, student: User) -> None:
    sign_in(client, "student")
    stolen = client.cookies["sessionid"].value
    assert "Sign out?" in client.get("/accounts/logout/").content.decode()
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    assert not is_signed_in(client)
    client.cookies["sessionid"] = stolen
    assert not is_signed_in(client)


def test_signing_in_needs_the_forms_token(student: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    response = sign_in(strict, "student")
    assert response.status_code == 403
    assert not is_signed_in(strict)


def test_an_account_is_made_where_sign_up_is_open(client: Client, settings: Settings) -> None:
    settings.SIGNUP_OPEN = True
    assert "Make an account" in client.get("/accounts/login/").content.decode()
    assert client.post("/accounts/signup/", NEW).status_code == 302
    assert is_signed_in(client)
    assert User.objects.get(username="grace").check_password("a-rear-admiral")


def test_no_account_is_made_where_sign_up_is_closed(client: Client, settings: Settings) -> None:
    settings.SIGNUP_OPEN = False
    assert "Make an account" not in client.get("/accounts/login/").content.decode()
    page = client.get("/accounts/signup/").content.decode()
    assert "closed" in page.lower()
    assert "password1" not in page
    client.post("/accounts/signup/", NEW)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"password1": "password", "password2": "password"}, "too common"),
        ({"password2": "something-else"}, "same password"),
        ({"username": "student"}, "already exists"),
        ({"username": "integrations"}, "can not be used"),
        ({"username": "Integrations"}, "can not be used"),
        ({"email": "no address"}, "valid email"),
    ],
)
def test_what_is_wrong_with_a_new_account_stands_in_the_form(
    client: Client, settings: Settings, student: User, changed: dict[str, str], says: str
) -> None:
    settings.SIGNUP_OPEN = True
    response = client.post("/accounts/signup/", NEW | changed)
    assert response.status_code == 200
    assert says in response.content.decode()
    assert User.objects.count() == 1


def test_a_forgotten_password_is_set_anew_by_mail(
    client: Client, student: User, mailoutbox: list[EmailMessage]
) -> None:
    asked = client.post("/accounts/password/reset/", {"email": "student@example.org"}, follow=True)
    assert asked.status_code == 200
    (mail,) = mailoutbox
    assert mail.to == ["student@example.org"]
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", str(mail.body))
    assert link
    form = client.get(link[1], follow=True)
    given = {"password1": "an-even-better-one", "password2": "an-even-better-one"}
    assert client.post(form.redirect_chain[-1][0], given).status_code == 302
    assert sign_in(Client(), "student").status_code == 200
    assert sign_in(client, "student", "an-even-better-one").status_code == 302
    assert "bad token" in Client().get(link[1], follow=True).content.decode().lower()


def test_asking_for_a_password_tells_nobody_who_has_an_account(
    client: Client, student: User, mailoutbox: list[EmailMessage]
) -> None:
    pages = [
        client.post("/accounts/password/reset/", {"email": email}, follow=True).content
        for email in ("student@example.org", "nobody@example.org")
    ]
    assert pages[0] == pages[1]


def test_a_new_password_signs_other_browsers_out(client: Client, student: User) -> None:
    other = Client()
    for browser in (client, other):
        sign_in(browser, "student")
    given = {"oldpassword": PASSWORD, "password1": "an-even-better-one", "password2": "an-even-better-one"}
    assert client.post("/accounts/password/change/", given).status_code == 302
    assert is_signed_in(client)
    assert not is_signed_in(other)


def test_guessing_a_password_ends_after_five_tries_even_with_the_right_one(client: Client, student: User) -> None:
    for _ in range(5):
        assert "are not correct" in sign_in(client, "student", "guess").content.decode()
    response = sign_in(client, "student")
    assert "Too many failed" in response.content.decode()
    assert not is_signed_in(client)
    assert not is_signed_in(Client())


def test_guessing_many_names_from_one_address_ends_after_ten(client: Client, student: User) -> None:
    for number in range(10):
        sign_in(client, f"name-{number}", "guess")
    sign_in(client, "student")
    assert not is_signed_in(client)


def test_a_claimed_address_does_not_reset_the_count(client: Client, student: User) -> None:
    for number in range(11):
        client.post(
            "/accounts/login/",
            {"login": f"name-{number}", "password": "guess"},
            headers={"x-forwarded-for": f"203.0.113.{number}"},
        )
    sign_in(client, "student")
    assert not is_signed_in(client)


def test_the_admin_has_no_sign_in_of_its_own(client: Client, operator: User) -> None:
    for method in (client.get, client.post):
        response = method("/admin/login/", {"username": "operator", "password": PASSWORD, "next": "/admin/"})
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/?next=")
    assert client.get("/admin/")["Location"].startswith("/admin/login/")
    assert not is_signed_in(client)
    for _ in range(5):
        sign_in(client, "operator", "guess", next="/admin/")
    sign_in(client, "operator", next="/admin/")
    assert client.get("/admin/").status_code == 302


def test_the_admin_is_not_there_for_students(client: Client, student: User) -> None:
    sign_in(client, "student")
    assert client.get("/admin/", follow=True).status_code == 403
    assert client.get("/admin/chats/chatsession/", follow=True).status_code == 403


def test_too_many_sign_ups_from_one_address_are_refused(client: Client, settings: Settings) -> None:
    settings.SIGNUP_OPEN = True
    statuses = [client.post("/accounts/signup/", NEW | {"password2": "x"}).status_code for _ in range(21)]
    assert statuses == [200] * 20 + [429]
