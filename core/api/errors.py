"""How refusals look to programs: `{"detail", "code"}`, with `errors` by field for values that can't be taken.

One function, `refusal`, knows it; DRF's exception handler and the views that are not DRF's both ask it.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from core.database import AWAY
from core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from core.redis import redis_errors

log = structlog.get_logger(__name__)

CHALLENGE = 'Bearer realm="api"'
DOMAIN_STATUSES: list[tuple[type[DomainError], int]] = [
    (NotFound, 404),
    (Forbidden, 403),
    (Conflict, 409),
    (Invalid, 422),
]
# Refusals of the "not now" kind are 503, but for those that are about the caller.
CODE_STATUSES = {"quota_exceeded": 429}
# What DRF calls otherwise than we do.
CODES = {
    "permission_denied": "forbidden",
    "not_authenticated": "not_authenticated",
    "authentication_failed": "invalid_token",
}
NOT_THERE = "There is nothing here, or it is not yours."


class CsrfFailed(exceptions.PermissionDenied):
    default_code = "csrf_failed"
    default_detail = "The CSRF token is missing or wrong. Load the page again."


class PreconditionFailed(exceptions.APIException):
    status_code = 412
    default_code = "precondition_failed"
    default_detail = "This was changed since you read it (If-Match). Load it again."


class TooLarge(exceptions.APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = "The request is too large."


class SignInRefused(exceptions.AuthenticationFailed):
    """Wrong credentials, or not all of them; the code says which."""


@dataclass
class Refusal:
    """An answer to a request that could not be done."""

    status: int
    detail: str
    code: str
    errors: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"detail": self.detail, "code": self.code}
        return body if self.errors is None else {**body, "errors": self.errors}


def refusal(error: Exception) -> Refusal | None:
    """What to answer to `error`, or None when it is a mistake of ours."""
    if isinstance(error, DomainError):
        return _domain(error)
    if isinstance(error, exceptions.ValidationError):
        return _validation(error)
    if isinstance(error, exceptions.APIException):
        return _api(error)
    if isinstance(error, Http404):
        return Refusal(404, NOT_THERE, "not_found")
    if isinstance(error, PermissionDenied):
        return Refusal(403, Forbidden.default_detail, "forbidden")
    if isinstance(error, SuspiciousOperation):
        return _suspicious(error)
    if isinstance(error, (*AWAY, *redis_errors())):
        log.warning("unavailable", error=type(error).__name__)
        return Refusal(503, "The site can't do this right now. Try again in a moment.", "unavailable", None, _wait(5))
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's `EXCEPTION_HANDLER`."""
    answer = answer_to(error, context["request"])
    return Response(answer.body, status=answer.status, headers=answer.headers)


def answer_to(error: Exception, request: Any) -> Refusal:
    """What to answer to `error`. A mistake of ours is logged and answered without saying what it was."""
    answer = refusal(error)
    if answer is None:
        log.error("request failed", exc_info=error)
        got_request_exception.send(sender=None, request=request)
        answer = Refusal(500, "Something went wrong here. It has been logged.", "error")
    return answer


def _domain(error: DomainError) -> Refusal:
    status = CODE_STATUSES.get(error.code)
    if status is None:
        status = next((status for kind, status in DOMAIN_STATUSES if isinstance(error, kind)), 503)
    code = "validation_error" if error.code == "invalid" else error.code
    wait = error.retry_after if error.retry_after is not None else (5 if status == 503 else None)
    errors = error.errors if isinstance(error, Invalid) else None
    return Refusal(status, error.detail, code, errors, {} if wait is None else _wait(wait))


def _validation(error: exceptions.ValidationError) -> Refusal:
    errors = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
    return Refusal(422, "Some values can't be taken.", "validation_error", dict(errors))


def _api(error: exceptions.APIException) -> Refusal:
    code = str(getattr(error.detail, "code", error.default_code))
    headers: dict[str, str] = {}
    status = error.status_code
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        status, headers = 401, {"WWW-Authenticate": CHALLENGE}
    if isinstance(error, exceptions.NotFound):
        return Refusal(404, NOT_THERE, "not_found")
    if isinstance(error, exceptions.Throttled):
        wait = max(1, math.ceil(getattr(error, "wait", None) or 1))
        return Refusal(429, f"Too many requests. Try again in {wait} seconds.", "throttled", None, _wait(wait))
    return Refusal(status, str(error.detail), CODES.get(code, code), None, headers)


def _suspicious(error: SuspiciousOperation) -> Refusal:
    if isinstance(error, RequestDataTooBig):
        return Refusal(413, TooLarge.default_detail, TooLarge.default_code)
    return Refusal(400, "The request can't be read.", "parse_error")


def _wait(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}
