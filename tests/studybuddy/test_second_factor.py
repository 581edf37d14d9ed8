"""A second factor: set up from one's own account, asked for at every sign-in, replaceable by recovery codes."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_limits() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def code_for(secret: str, *, later: int = 0) -> str:
    """What an authenticator app shows now, or so many half minutes later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + later))


@pytest.fixture
def secured(student: User) -> tuple[Client, str, list[str]]:
    """A browser that has just set a second factor up, its secret and the recovery codes."""
    client = Client()
    sign_in(client)
    asked = client.get("/accounts/2fa/totp/activate/")["Location"]  # once more for the password
    page = client.post(asked, {"password": "pass-word-1"}, follow=True).content.decode()
    assert "<svg" in page
    secret = re.search(r'value="([A-Z2-7]{32})"', page)
    assert secret
    assert client.post("/accounts/2fa/totp/activate/", {"code": "000000"}).status_code == 200
    done = client.post("/accounts/2fa/totp/activate/", {"code": code_for(secret[1])}, follow=True)
    codes = re.findall(r"\b[0-9a-f]{8}\b", client.get("/accounts/2fa/recovery-codes/").content.decode())
    assert done.status_code == 200
    return client, secret[1], codes


def sign_in(client: Client) -> Any:
    return client.post("/accounts/login/", {"login": "student", "password": "pass-word-1"})


def is_signed_in(client: Client) -> bool:
    return client.get("/chats").status_code == 200


def test_with_a_second_factor_the_password_alone_lets_nobody_in(secured: tuple[Client, str, list[str]]) -> None:
    client = Client()
    assert sign_in(client)["Location"].startswith("/accounts/2fa/authenticate/")
    assert not is_signed_in(client)
    assert client.post("/accounts/2fa/authenticate/", {"code": "123456"}).status_code == 200
    assert not is_signed_in(client)


def test_the_right_code_lets_in_once_though_the_telephones_clock_is_half_a_minute_off(
    secured: tuple[Client, str, list[str]],
) -> None:
    code = code_for(secured[1], later=1)
    client, thief = Client(), Client()
    sign_in(client)
    assert client.post("/accounts/2fa/authenticate/", {"code": code})["Location"] == "/"
    assert is_signed_in(client)
    sign_in(thief)
    thief.post("/accounts/2fa/authenticate/", {"code": code})
    assert not is_signed_in(thief)


def test_a_recovery_code_lets_in_once(secured: tuple[Client, str, list[str]]) -> None:
    assert len(secured[2]) == 10
    client, thief = Client(), Client()
    for browser, let_in in ((client, True), (thief, False)):
        sign_in(browser)
        browser.post("/accounts/2fa/authenticate/", {"code": secured[2][0]})
        assert is_signed_in(browser) is let_in


def test_guessing_codes_ends(secured: tuple[Client, str, list[str]]) -> None:
    client = Client()
    sign_in(client)
    for number in range(6):
        client.post("/accounts/2fa/authenticate/", {"code": f"{number:06}"})
    client.post("/accounts/2fa/authenticate/", {"code": code_for(secured[1], later=1)})
    assert not is_signed_in(client)


def test_a_second_factor_is_taken_off_again(secured: tuple[Client, str, list[str]]) -> None:
    owner = secured[0]
    assert owner.post("/accounts/2fa/totp/deactivate/").status_code == 302
    client = Client()
    assert sign_in(client)["Location"] == "/"
    assert is_signed_in(client)
