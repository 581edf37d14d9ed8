"""Programs' keys and the background worker's calendar."""

from django.contrib import admin
from django.http import HttpRequest

from core.admin_lists import QuickAdmin, ReadOnlyAdmin
from core.models import ApiToken, ScheduledJob


@admin.register(ApiToken)
class ApiTokenAdmin(QuickAdmin):
    """Keys can be taken back here. They are made by their owners, who alone see them, once."""

    list_display = ["name_or_key", "user", "created", "expiry", "last_used_at"]
    list_select_related = ["user"]
    list_filter = ["created", "expiry"]
    search_fields = ["name", "token_key", "user__username"]
    readonly_fields = ["name", "token_key", "user", "created", "expiry", "last_used_at"]
    fields = tuple(readonly_fields)
    ordering = ["-created"]

    @admin.display(description="token", ordering="name")
    def name_or_key(self, token: ApiToken) -> str:
        return str(token)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False


@admin.register(ScheduledJob)
class ScheduledJobAdmin(ReadOnlyAdmin):
    list_display = ["job", "day", "enqueued_at", "finished_at"]
    list_filter = ["job"]
