"""What every page door does alike: who may enter, and how a refusal reads."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.http import url_has_allowed_host_and_scheme

from core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound

P = ParamSpec("P")


class SignedInRequest(HttpRequest):
    """A request of somebody who is signed in; `htmx` is true when a fragment is asked for."""

    user: User
    htmx: Any


def status_of(error: DomainError) -> int:
    """The HTTP status that tells a program what the error's words tell people."""
    if isinstance(error, Conflict):
        return 409
    if isinstance(error, Invalid):
        return 422
    return 429 if error.code == "quota_exceeded" else 503


def page(
    view: Callable[Concatenate[SignedInRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A door for people who are signed in. Domain errors become 404, 403, or words on the page that one came from."""

    @wraps(view)
    def door(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            if request.htmx:  # a fragment can't hold the sign-in page
                return HttpResponse("You have been signed out.", status=401, content_type="text/plain")
            return redirect_to_login(request.get_full_path())
        try:
            response = view(request, *args, **kwargs)
        except NotFound:
            response = render(request, "404.html", status=404)  # the page for people, on one's own machine too
        except Forbidden as error:
            raise PermissionDenied(error.detail) from error
        except DomainError as error:
            response = _refusal(request, error)
        patch_cache_control(response, private=True, no_cache=True)
        return response

    return door


def _refusal(request: Any, error: DomainError) -> HttpResponse:
    if request.htmx:
        return HttpResponse(error.detail, status=status_of(error), content_type="text/plain; charset=utf-8")
    messages.error(request, error.detail)
    return redirect(came_from(request) or "/")


def came_from(request: Any) -> str:
    """The path and query of the site's page that led here; empty when it was none of the site's."""
    address = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure()):
        return ""
    return own_path(urlsplit(address)._replace(scheme="", netloc="", fragment="").geturl())


def own_path(address: str) -> str:
    """The address if it is a path of this site, else an empty string."""
    return address if address.startswith("/") and url_has_allowed_host_and_scheme(address, None) else ""
