"""A column that is computed from others whenever its row is written."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import models


class DerivedTextField(models.TextField):  # type: ignore[type-arg]
    """Holds `derive(row)` as of the last save, `bulk_create` included. Nobody sets it by hand.

    In migrations it is a plain TextField: what computes it is not part of the schema.
    """

    def __init__(self, *args: Any, derive: Callable[[Any], str] | None = None, **kwargs: Any) -> None:
        self.derive = derive
        kwargs.update(editable=False, blank=True, default="")
        super().__init__(*args, **kwargs)

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        value = self.derive(model_instance) if self.derive is not None else str(self.value_from_object(model_instance))
        setattr(model_instance, self.attname, value)
        return value

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs
