"""Lists of the admin that stay quick when there are millions of rows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

from core.ids import first_uuid7

COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than 10,000: counting all is what makes a big list slow, and nobody turns that many pages."""

    @cached_property
    def count(self) -> int:
        if isinstance(self.object_list, QuerySet):
            return self.object_list.order_by()[:COUNTED].count()
        return len(self.object_list)


class QuickAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list with a capped count and the rows it refers to in one query."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each facet is a count of everything
    list_per_page = 50


class ReadOnlyAdmin(QuickAdmin):
    """To look at: the site itself writes these rows."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MadeFilter(admin.SimpleListFilter):
    """When a row was made, by its id: a UUIDv7 begins with the time, so the primary key is the index for it."""

    title = "made"
    parameter_name = "made"
    days = {"1": "in the last day", "7": "in the last 7 days", "30": "in the last 30 days"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return list(self.days.items())

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Model]") -> "QuerySet[Model] | None":
        if self.value() not in self.days:
            return None
        since = timezone.now() - timedelta(days=int(str(self.value())))
        return queryset.filter(pk__gte=first_uuid7(since))
