"""Serializer parts that all APIs here share."""

import math
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.utils import html

from core.text import is_storable

# What forms of the browsable API send besides fields.
FORM_EXTRAS = {"csrfmiddlewaretoken"}
DEEPEST = 100


class Body(serializers.Serializer[Any]):
    """What a request may say, in JSON's own types. A field that isn't known is named, not ignored, when `is_closed`."""

    is_closed = True

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        if self.is_closed and isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(str(name) for name in set(data) - known - FORM_EXTRAS)
            if unknown:
                raise serializers.ValidationError({name[:100]: ["There is no such field."] for name in unknown})
        return values


class Query(serializers.Serializer[Any]):
    """What a query string may say. Parameters that aren't known are ignored, as everywhere on the web."""


class TextField(serializers.CharField):
    """Text that the database can hold; NUL and lone surrogates are refused, and numbers are no text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not is_storable(data):
            raise serializers.ValidationError("NUL and lone surrogates can't be stored.")
        return str(super().to_internal_value(data))


class NameField(TextField):
    """An optional text for which blank is the same as absent: None."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, "allow_blank": True, **options})

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(data) or None


class FlagField(serializers.BooleanField):
    """True or false; words for them are understood in forms and query strings alone."""

    def to_internal_value(self, data: Any) -> bool:
        if (
            not isinstance(data, bool)
            and isinstance(self.root, Body)
            and not html.is_html_input(self.root.initial_data)
        ):
            self.fail("invalid", input=data)
        return bool(super().to_internal_value(data))


class NumberField(serializers.IntegerField):
    """A whole number, in JSON as a number."""

    def to_internal_value(self, data: Any) -> int:
        in_json = isinstance(self.root, Body) and not html.is_html_input(self.root.initial_data)
        if in_json and (isinstance(data, bool) or not isinstance(data, int | float)):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class LongTextField(serializers.CharField):
    """The text of a message: taken as it is; what a column can't hold is replaced, not refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})
        self.validators = [v for v in self.validators if "Prohibit" not in type(v).__name__]

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class ShortListField(serializers.ListField):
    """A list whose length is looked at before its items are."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            raise serializers.ValidationError(f"At most {self.max_length} at a time.")
        return super().to_internal_value(data)


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ObjectField(serializers.JSONField):
    """A JSON object of the caller's own, nothing in it that the database can't hold."""

    def get_value(self, dictionary: Any) -> Any:
        # An empty box in a form says nothing.
        if html.is_html_input(dictionary) and not dictionary.get(self.field_name):
            return serializers.empty
        return super().get_value(dictionary)

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("This must be an object.")
        if problem := why_not_storable(value):
            raise serializers.ValidationError(problem)
        return value


def why_not_storable(value: Any) -> str | None:
    """What is wrong with a JSON value, or None. Walks level by level: how deep it goes is the caller's choice."""
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            return f"This is nested more than {DEEPEST} levels deep."
        for item in level:
            if isinstance(item, str) and not is_storable(item):
                return "NUL and lone surrogates can't be stored."
            if isinstance(item, float) and not math.isfinite(item):
                return "A number is too large."
        level = [inner for item in level for inner in _inside(item)]
        depth += 1
    return None


def _inside(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return item if isinstance(item, list) else []


def checked(kind: type[serializers.Serializer[Any]], data: Any, **options: Any) -> dict[str, Any]:
    """`data` as `kind` reads it. Raises ValidationError (422)."""
    serializer = kind(data=data, **options)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def plain(parameters: QueryDict) -> dict[str, str]:
    """The query string as one value per name, the last one given."""
    return {name: str(parameters[name]) for name in parameters}
