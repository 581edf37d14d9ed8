"""Reading bodies, no further than the site's limit."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from core.api.errors import TooLarge


class JsonParser(parsers.JSONParser):
    """JSON. What can't be read is a 400 that says where."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = whole_body(stream, parser_context)
        try:
            return json.loads(body.decode(), parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            raise ParseError(f"This is no JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
        except UnicodeDecodeError as error:
            raise ParseError(f"This is no UTF-8: byte {error.start}.") from None
        except RecursionError:
            raise ParseError("This JSON is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"This JSON can't be read: {error}") from None


class FormParser(parsers.FormParser):
    """Forms of the browsable API."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        _refuse_too_large(parser_context)
        return super().parse(stream, media_type, parser_context)


class MultiPartParser(parsers.MultiPartParser):
    """The same, as browsers send forms that could hold a file. Django stops reading fields at the site's limit."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        _refuse_too_large(parser_context)
        return super().parse(stream, media_type, parser_context)


def whole_body(stream: IO[Any], context: Mapping[str, Any] | None) -> bytes:
    """The body, read no further than the site's limit. Raises TooLarge."""
    _refuse_too_large(context)
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body: bytes = stream.read(most + 1)
    if len(body) > most:
        raise TooLarge
    return body


def _refuse_too_large(context: Mapping[str, Any] | None) -> None:
    request = (context or {}).get("request")
    length = "" if request is None else request.META.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise TooLarge


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number.")
