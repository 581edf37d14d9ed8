"""Answers to errors that are not about one view."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults

from core.api.errors import Refusal, refusal

BROKEN = Refusal(500, "Something went wrong here. It has been logged.", "error")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: 503 while the database is away, in words for people or, under /api, for programs."""
    error = sys.exc_info()[1]
    answer = (refusal(error) if isinstance(error, Exception) else None) or BROKEN
    if request.path.startswith("/api/"):
        return JsonResponse(answer.body, status=answer.status, headers=answer.headers)
    if answer.status != 503:
        return defaults.server_error(request)
    return HttpResponse(render_to_string("503.html"), status=503, headers=answer.headers)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", status=403)
