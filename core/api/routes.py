"""Addresses of the API. Each answers with and without a slash at its end; the schema shows those without."""

from collections.abc import Callable, Iterable
from typing import Any

from django.urls import URLPattern, path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.errors import NotFound

View = Callable[..., Any]


def both(route: str, view: View, name: str) -> list[URLPattern]:
    return [path(route, view, name=name), path(f"{route}/", view)]


def without_slashes(endpoints: Iterable[tuple[str, str, str, Any]], **_: Any) -> list[tuple[str, str, str, Any]]:
    """A drf-spectacular hook: one entry for each address."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


class Nothing(APIView):
    """What stands at every other address under /api/."""

    permission_classes = [AllowAny]
    authentication_classes = []
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is nothing at this address.")

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise NotFound("There is nothing at this address.")
