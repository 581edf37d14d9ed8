"""A person's own page: the look, the data, and what may act for them."""

from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from chats.services import disclosure, erasure, sessions
from core import tokens
from core.doors import SignedInRequest, page
from core.errors import Forbidden, Invalid

A_YEAR = 365 * 24 * 3600
THEMES = ("system", "light", "dark")


@require_GET
@page
def show(request: SignedInRequest) -> HttpResponse:
    return render(request, "profile/account.html", _account(request))


def _account(request: SignedInRequest, **more: Any) -> dict[str, Any]:
    lifetime = cast("timedelta", settings.REST_KNOX["TOKEN_TTL"])
    return {
        "chat_count": sessions.visible(user=request.user, state="all").count(),
        "theme": request.COOKIES.get("theme", "system"),
        "tokens": tokens.listed(user=request.user),
        "token_days": lifetime.days,
        **more,
    }


@require_POST
@never_cache
@page
def make_token(request: SignedInRequest) -> HttpResponse:
    """Make a token and show its secret, this once."""
    days = request.POST.get("days", "").strip()
    if days and not (days.isascii() and days.isdecimal() and len(days) < 6):
        raise Invalid("The days must be a whole number.")
    _, secret = tokens.create(user=request.user, name=request.POST.get("name", ""), days=int(days) if days else None)
    return render(request, "profile/account.html", _account(request, secret=secret))


@require_POST
@page
def revoke_token(request: SignedInRequest) -> HttpResponse:
    tokens.revoke(user=request.user, token_key=request.POST.get("token", ""))
    messages.success(request, "The token works no more.")
    return redirect("chats:account")


@require_GET
@never_cache
@page
def export(request: SignedInRequest) -> HttpResponse:
    """Everything held about the person as one JSON file."""
    response = HttpResponse(disclosure.export(user=request.user), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="studybuddy-my-data.json"'
    return response


@require_POST
@page
def delete_chats(request: SignedInRequest) -> HttpResponse:
    """Remove all of one's chats for good."""
    if request.POST.get("sure") != "yes":
        raise Invalid("Tick the box to say that you are sure.")
    receipt = erasure.forget(user=request.user)
    count = receipt.pop("conversations", 0)
    gone = ", ".join(f"{number} {name}" for name, number in receipt.items())
    messages.success(
        request, f"{count} chat{'' if count == 1 else 's'} removed.{f' With them: {gone}.' if gone else ''}"
    )
    return redirect("chats:account")


@require_POST
@never_cache
@page
def delete_account(request: SignedInRequest) -> HttpResponse:
    """Remove the account and everything about the person, and show the receipt."""
    if request.POST.get("username") != request.user.get_username():
        raise Invalid("Type your user name to say that you are sure.")
    if request.user.is_staff:
        raise Forbidden("An operator's account is removed by another operator.")
    receipt = erasure.purge(user=request.user)
    logout(request)
    return render(request, "profile/erased.html", {"receipt": receipt})


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen look in a cookie, for browsers without script."""
    response = redirect("chats:account")
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=A_YEAR, samesite="Lax", secure=request.is_secure())
    return response
