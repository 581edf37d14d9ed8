"""Answers to errors that are not about one view."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults

from core.api.errors import Refusal, refusal

BROKEN = Refusal(500, "Something went wrong here. It has been logged.", "error")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: in words for people or, under /api, for programs."""
    error = sys.exc_info()[1]
    answer = unavailable(request, error) if isinstance(error, Exception) else None
    if answer is not None:
        return answer
    if request.path.startswith("/api/"):
        return JsonResponse(BROKEN.body, status=BROKEN.status)
    return defaults.server_error(request)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler404`: whoever asks while the database is away is told that first, wherever they ask."""
    away = getattr(request, "away", None)
    return (unavailable(request, away) if away else None) or defaults.page_not_found(request, exception)


def unavailable(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """503 where `error` says that the database or Redis is away, else None. Asks neither of them."""
    answer = refusal(error)
    if answer is None or answer.status != 503:
        return None
    if request.path.startswith("/api/"):
        return JsonResponse(answer.body, status=503, headers=answer.headers)
    return HttpResponse(render_to_string("503.html"), status=503, headers=answer.headers)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", status=403)
