"""Tokens: made with a password (and a second factor), named, expiring, revocable, shown once."""

import io
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from core import tokens
from core.errors import NotFound
from core.models import ApiToken
from tests.api.conftest import Program
from tests.api.test_errors import refused

pytestmark = pytest.mark.django_db
PASSWORD = {"username": "student", "password": "pass-word-1"}


def sign_in(**more: str) -> Any:
    return Program().post("/api/auth/token", {**PASSWORD, **more})


def with_token(secret: str) -> Program:
    program = Program()
    program.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return program


def test_a_password_is_traded_for_a_token(student: User) -> None:
    response = sign_in(name="laptop")
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"token", "expires_at"}
    assert not response.cookies
    assert with_token(body["token"]).get("/api/courses").status_code == 200
    token = ApiToken.objects.get()
    assert (token.name, token.user) == ("laptop", student)
    assert body["token"] not in str(ApiToken.objects.values().get())


def test_the_email_address_signs_in_too(student: User) -> None:
    body = {"username": "student@example.org", "password": "pass-word-1"}
    assert Program().post("/api/auth/token", body).status_code == 200


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"username": "nobody"}, {"username": "inactive"}])
def test_wrong_credentials_are_401(student: User, change: dict[str, str]) -> None:
    User.objects.create_user("inactive", password="pass-word-1", is_active=False)
    response = sign_in(**change)
    refused(response, 401, "invalid_credentials")
    assert response["www-authenticate"].startswith("Bearer")


def test_many_wrong_passwords_for_one_account_are_429(student: User, settings: Any) -> None:
    settings.THROTTLE_SIGNIN = "1000/min"
    codes = [sign_in(password="wrong").status_code for _ in range(12)]
    assert codes[0] == 401
    assert codes[-1] == 429
    assert int(sign_in(password="wrong")["retry-after"]) > 1


def test_a_second_factor_is_asked_for_and_checked(student: User) -> None:
    totp = TOTP.activate(student, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(student)
    refused(sign_in(), 401, "mfa_required")
    refused(sign_in(password="wrong"), 401, "invalid_credentials")
    refused(sign_in(otp="000000x"), 401, "mfa_invalid")
    counter = next(iter(yield_hotp_counters_from_time()))
    code = format_hotp_value(hotp_value("JBSWY3DPEHPK3PXP", counter))
    assert sign_in(otp=code).status_code == 200
    refused(sign_in(otp=code), 401, "mfa_invalid")
    totp.instance.refresh_from_db()
    assert totp.instance.last_used_at is not None


def test_an_expired_token_is_401(student: User) -> None:
    token, secret = tokens.create(user=student, days=1)
    assert with_token(secret).get("/api/courses").status_code == 200
    ApiToken.objects.filter(pk=token.pk).update(expiry=timezone.now() - timedelta(seconds=1))
    refused(with_token(secret).get("/api/courses"), 401, "invalid_token")


def test_the_token_of_a_disabled_account_is_401(student: User) -> None:
    _, secret = tokens.create(user=student)
    User.objects.filter(pk=student.pk).update(is_active=False)
    refused(with_token(secret).get("/api/courses"), 401, "invalid_token")


def test_last_use_is_kept_to_the_minute(student: User, api: Program, django_assert_num_queries: Any) -> None:
    api.get("/api/courses")
    used = ApiToken.objects.get().last_used_at
    assert used is not None
    api.get("/api/courses")
    assert ApiToken.objects.get().last_used_at == used
    ApiToken.objects.update(last_used_at=used - timedelta(seconds=61))
    api.get("/api/courses")
    assert ApiToken.objects.get().last_used_at >= used


def test_logging_out_ends_this_token_alone(api: Program, student: User) -> None:
    other = Program(student)
    assert api.post("/api/auth/logout").json() == {"status": "ok"}
    assert api.get("/api/courses").status_code == 401
    assert other.post("/api/auth/logout-all").status_code == 200
    assert other.get("/api/courses").status_code == 401


def test_tokens_are_listed_without_their_secret_and_ended(api: Program, stranger: Program) -> None:
    made = api.post("/api/auth/tokens", {"name": "robot", "days": 3})
    assert made.status_code == 201
    secret = made.json()["token"]
    listing = api.get("/api/auth/tokens")
    assert secret not in listing.content.decode()
    robot, test = listing.json()["tokens"]
    assert (robot["name"], test["name"]) == ("robot", "test")
    refused(stranger.delete(f"/api/auth/tokens/{robot['token_key']}"), 404, "not_found")
    assert with_token(secret).get("/api/courses").status_code == 200
    assert api.delete(f"/api/auth/tokens/{robot['token_key']}").json() == {"status": "deleted"}
    refused(with_token(secret).get("/api/courses"), 401, "invalid_token")
    refused(api.delete(f"/api/auth/tokens/{robot['token_key']}"), 404, "not_found")
    refused(api.delete("/api/auth/tokens/a%00b"), 404, "not_found")


@pytest.mark.parametrize("body", [{"days": 0}, {"days": 10**9}, {"days": "x"}, {"name": "n" * 101}, {"name": "a\0"}])
def test_a_token_that_cannot_be(api: Program, body: dict[str, Any]) -> None:
    refused(api.post("/api/auth/tokens", body), 422, "validation_error")


def test_the_command_prints_a_token_that_works(student: User) -> None:
    out = io.StringIO()
    call_command("issue_token", "student", "--days", "7", stdout=out)
    secret = out.getvalue().strip()
    assert with_token(secret).get("/api/courses").status_code == 200
    assert ApiToken.objects.get().expiry <= timezone.now() + timedelta(days=7)
    with pytest.raises(CommandError, match="no active account"):
        call_command("issue_token", "nobody")
    with pytest.raises(CommandError, match="days"):
        call_command("issue_token", "student", "--days", "0")


def test_a_token_is_revoked_by_its_owner_only(student: User, outsider: User) -> None:
    token, secret = tokens.create(user=student)
    with pytest.raises(NotFound):
        tokens.revoke(user=outsider, token_key=token.token_key)
    assert tokens.find(secret) == token
    tokens.revoke(user=student, token_key=token.token_key)
    assert tokens.find(secret) is None


def test_asking_with_a_token_takes_one_query_for_the_token(api: Program, django_assert_num_queries: Any) -> None:
    api.get("/api/auth/tokens")
    with django_assert_num_queries(2):
        api.get("/api/auth/tokens")
