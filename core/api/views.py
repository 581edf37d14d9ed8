"""What all API views share: they parse, ask one use case, and answer."""

from typing import Any

from rest_framework import serializers, viewsets

from core.api.fields import Body, checked, plain


class NoBody(Body):
    """A request that says nothing but its address."""


class StatusData(serializers.Serializer[Any]):
    status = serializers.CharField()


class ApiViewSet(viewsets.ViewSet):
    """A viewset whose `bodies` say what each action's request may hold.

    The browsable API makes its forms of them, so that what people can fill in is what programs can send.
    """

    bodies: dict[str, type[serializers.Serializer[Any]]] = {}
    # What is there now: forms that change it begin with it.
    shown: dict[str, Any] | None = None

    def get_serializer(self, *args: Any, **options: Any) -> serializers.Serializer[Any]:
        kind = self.bodies.get(self.action or "", NoBody)
        options.pop("instance", None)
        if self.action == "update" and self.shown is not None and "data" not in options:
            options["initial"] = {name: self.shown[name] for name in map(str, kind().fields) if name in self.shown}
        return kind(**{**options, "context": {"request": self.request, "view": self}})

    def body(self) -> dict[str, Any]:
        """The request's body, checked. Raises ValidationError (422)."""
        return checked(self.bodies.get(self.action or "", NoBody), self.request.data, context={"view": self})

    def query(self, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        return checked(kind, plain(self.request.query_params))
