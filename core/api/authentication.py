"""Who asks: a token first, then the site's own session cookie with its CSRF token."""

from django.contrib.auth.models import User
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.request import Request

from core import tokens
from core.api.errors import CHALLENGE, CsrfFailed
from core.models import ApiToken


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`. A wrong, expired or revoked one is 401, whatever cookie comes with it."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        token = tokens.find(secret.strip().decode("latin-1"))
        if token is None:
            raise exceptions.AuthenticationFailed("The token is wrong, expired or revoked.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class CookieAuthentication(SessionAuthentication):
    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            raise CsrfFailed from error
