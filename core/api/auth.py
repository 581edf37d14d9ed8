"""Signing in for a token, and ending tokens."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.base.forms import BaseAuthenticateForm
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError as Refused
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from core import tokens
from core.api.errors import SignInRefused
from core.api.fields import Body, NameField, NumberField, TextField
from core.api.schema import operation
from core.api.views import ApiViewSet, StatusData
from core.models import ApiToken

# How long allauth counts failed sign-ins of one account.
FAILED_SIGN_IN_SECONDS = 300


class SignInBody(Body):
    username = TextField(max_length=254, help_text="The user name, or the e-mail address.")
    password = TextField(max_length=4096, trim_whitespace=False, style={"input_type": "password"})
    otp = NameField(max_length=64, help_text="For accounts with two-factor sign-in: the code, or a recovery code.")
    name = NameField(max_length=tokens.NAME_LENGTH, help_text="What the token is called on the account page.")


class NewTokenBody(Body):
    name = NameField(max_length=tokens.NAME_LENGTH)
    days = NumberField(required=False, allow_null=True, min_value=1, max_value=tokens.MOST_DAYS)


class SecretData(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Shown this once.")
    expires_at = serializers.DateTimeField()


class TokenData(serializers.Serializer[Any]):
    token_key = serializers.CharField(help_text="How the token begins; by this it is known.")
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")


class TokenListData(serializers.Serializer[Any]):
    tokens = TokenData(many=True)


SECRET = {"token": "sb_3f9c…", "expires_at": "2027-02-19T10:00:00Z"}
TOKEN = {
    "token_key": "sb_3f9c1d2e4b5a",
    "name": "my script",
    "created_at": "2026-11-21T10:00:00Z",
    "expires_at": "2027-02-19T10:00:00Z",
    "last_used_at": None,
}


class SignInView(ApiViewSet):
    """Trade a user name and a password for a token."""

    tag = "tokens"
    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_kinds = {"create": "signin"}
    bodies = {"create": SignInBody}

    @operation(
        "Sign in for a token",
        name="sign_in",
        body=SignInBody,
        sends={"username": "student", "password": "studybuddy"},
        answer=SecretData,
        answers=SECRET,
        description="401 `mfa_required` asks for `otp`: the account has two-factor sign-in.",
    )
    def create(self, request: Request) -> Response:
        given = self.body()
        user = authenticate(request, given["username"], given["password"], given.get("otp"))
        token, secret = tokens.create(user=user, name=given.get("name") or "signed in by the API")
        return Response(_secret_data(token, secret))


class TokensView(ApiViewSet):
    """One's own tokens. They can be listed and ended, never shown again."""

    tag = "tokens"
    bodies = {"create": NewTokenBody}

    @operation("List my tokens", name="tokens", answer=TokenListData, answers={"tokens": [TOKEN]})
    def list(self, request: Request) -> Response:
        return Response({"tokens": [_token_data(token) for token in tokens.listed(user=request.user)]})

    @operation(
        "Make another token",
        name="make_token",
        body=NewTokenBody,
        sends={"name": "my script", "days": 30},
        answer=SecretData,
        answers=SECRET,
        status=201,
    )
    def create(self, request: Request) -> Response:
        given = self.body()
        user: Any = request.user
        token, secret = tokens.create(user=user, name=given.get("name") or "", days=given.get("days"))
        return Response(_secret_data(token, secret), status=201)

    @operation("End one of my tokens", name="end_token", answer=StatusData, answers={"status": "deleted"})
    def destroy(self, request: Request, token_key: str) -> Response:
        tokens.revoke(user=request.user, token_key=token_key)
        return Response({"status": "deleted"})

    @operation("End the token that this request came with", name="log_out", answers={"status": "ok"}, answer=StatusData)
    def end_this(self, request: Request) -> Response:
        if isinstance(request.auth, ApiToken):
            tokens.revoke(user=request.user, token_key=request.auth.token_key)
        return Response({"status": "ok"})

    @operation("End all of my tokens", name="log_out_everywhere", answers={"status": "ok"}, answer=StatusData)
    def end_all(self, request: Request) -> Response:
        tokens.revoke_all(user=request.user)
        return Response({"status": "ok"})


def authenticate(request: Request, name: str, password: str, otp: str | None) -> User:
    """The person with these credentials. Raises SignInRefused, or Throttled after too many failures."""
    credentials = {"username": name, "password": password, **({"email": name} if "@" in name else {})}
    try:
        user = get_adapter().authenticate(request._request, **credentials)  # noqa: SLF001 - allauth wants Django's
    except Refused as error:
        raise Throttled(wait=FAILED_SIGN_IN_SECONDS) from error
    if user is None or not user.is_active:
        raise SignInRefused("The user name or the password is wrong.", "invalid_credentials")
    factors = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES)
    if factors.exists():
        _check_second_factor(user, otp)
    signed_in: User = user
    return signed_in


def _check_second_factor(user: Any, otp: str | None) -> None:
    if not otp:
        raise SignInRefused("This account has two-factor sign-in: send the code as otp.", "mfa_required")
    form = BaseAuthenticateForm(user=user, data={"code": otp})
    if not form.is_valid():
        if form.has_error("code", "too_many_login_attempts"):
            raise Throttled(wait=FAILED_SIGN_IN_SECONDS)
        raise SignInRefused("The two-factor code is wrong or was used already.", "mfa_invalid")
    form.authenticator.record_usage()


def _secret_data(token: ApiToken, secret: str) -> dict[str, Any]:
    return {"token": secret, "expires_at": token.expiry}


def _token_data(token: ApiToken) -> dict[str, Any]:
    return {
        "token_key": token.token_key,
        "name": token.name,
        "created_at": token.created,
        "expires_at": token.expiry,
        "last_used_at": token.last_used_at,
    }
