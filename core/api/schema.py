"""The OpenAPI description: a short way to describe an operation, and the errors that all of them share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.serializers import ListSerializer

ERRORS = {
    "400": "The body can't be parsed (`parse_error`).",
    "401": "No token, or one that is wrong, expired or revoked.",
    "403": "You may see it, but not do this (`forbidden`), or the CSRF token is missing (`csrf_failed`).",
    "404": "There is nothing here, or it is not yours.",
    "406": "None of the accepted types can be sent.",
    "409": "Something else is in the way: a running reply (`reply_running`), or a name that is taken (`conflict`).",
    "412": "`If-Match` names an older version.",
    "413": "The body is too large.",
    "415": "The body is of a type that is not read here.",
    "422": "Some values can't be taken; `errors` says which and why.",
    "429": "Too many requests (`throttled`) or tokens (`quota_exceeded`); `Retry-After` says when to try again.",
    "503": "The site can't do this right now (`unavailable`). Try again in a moment.",
}
ALWAYS = ("404", "406", "422", "429", "503")
WITH_BODY = ("400", "403", "409", "412", "413", "415")
ERROR_SCHEMA = {
    "type": "object",
    "required": ["detail", "code"],
    "properties": {
        "detail": {"type": "string", "description": "For people."},
        "code": {"type": "string", "description": "For programs."},
        "errors": {"type": "object", "additionalProperties": True, "description": "By field, with a 422."},
    },
    "example": {"detail": "There is nothing here, or it is not yours.", "code": "not_found"},
}
Parameters = Sequence[OpenApiParameter | type]


class Schema(AutoSchema):
    """Tags operations by what they are about. Forms are for people: programs are told of JSON."""

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "tag", "other")]

    def _is_list_view(self, serializer: Any = None) -> bool:
        # An action called `list` answers an object with its rows in it; only what says so is an array.
        return isinstance(serializer, ListSerializer)

    def map_parsers(self) -> list[str]:
        return ["application/json"]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "core.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class CookieScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "core.api.authentication.CookieAuthentication"
    name = "cookie"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class ClosedBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Bodies whose unknown fields are refused say so."""

    target_class = "core.api.fields.Body"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        described = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]  # noqa: SLF001
        return {**described, "additionalProperties": False} if self.target.is_closed else dict(described)


def operation(
    summary: str,
    *,
    description: str = "",
    name: str | None = None,
    body: Any = None,
    sends: Mapping[str, Any] | None = None,
    answer: Any = None,
    answers: Any = None,
    status: int = 200,
    also: Mapping[Any, Any] | None = None,
    parameters: Parameters = (),
) -> Callable[[Any], Any]:
    """Describe an operation: what it is sent with an example, and what it answers with an example.

    `also` are further answers by status.
    """
    examples = []
    if sends is not None:
        examples.append(OpenApiExample("Request", value=dict(sends), request_only=True))
    if answers is not None:
        examples.append(OpenApiExample("Answer", value=answers, response_only=True, status_codes=[str(status)]))
    return extend_schema(
        operation_id=name,
        summary=summary,
        description=description or None,
        request=body,
        responses={status: OpenApiResponse(answer, description=summary), **(also or {})},
        parameters=list(parameters),
        examples=examples,
    )


def describe_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A drf-spectacular hook: add the errors that the one handler may answer with to each operation."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR_SCHEMA
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for methods in result["paths"].values():
        for method, described in methods.items():
            statuses = [*ALWAYS]
            if method != "get":
                statuses += WITH_BODY
            if {} not in described.get("security", []):
                statuses.append("401")
            for status in sorted({*statuses, *_named(described)}):
                described["responses"].setdefault(status, {"description": ERRORS[status], "content": content})
    return result


def _named(described: dict[str, Any]) -> list[str]:
    return ["401"] if described.get("operationId") == "sign_in" else []
