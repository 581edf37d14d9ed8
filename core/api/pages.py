"""Lists in pages: `?page=&limit=`, the total, and links to the neighbours in the `Link` header."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Query

MOST_PER_PAGE = 100
LAST_PAGE = 1_000_000


class PageQuery(Query):
    page = serializers.IntegerField(min_value=1, max_value=LAST_PAGE, default=1, help_text="Counted from 1.")
    limit = serializers.IntegerField(min_value=1, max_value=MOST_PER_PAGE, default=20, help_text="Rows per page.")


def slice_of(rows: "QuerySet[Any]", page: int, limit: int) -> list[Any]:
    return list(rows[(page - 1) * limit : page * limit])


def page_response(request: Request, name: str, items: list[Any], *, total: int, page: int, limit: int) -> Response:
    """`{name: items, total, page, limit}` with a Link header."""
    response = Response({name: items, "total": total, "page": page, "limit": limit})
    neighbours = {"prev": page - 1 if page > 1 else None, "next": page + 1 if page * limit < total else None}
    add_links(response, {rel: _with(request, page=number) for rel, number in neighbours.items() if number})
    return response


def add_links(response: Response, links: dict[str, str]) -> None:
    if links:
        response["Link"] = ", ".join(f'<{url}>; rel="{rel}"' for rel, url in links.items())


def _with(request: Request, **parameters: Any) -> str:
    query = request.query_params.copy()
    for name, value in parameters.items():
        query[name] = str(value)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
