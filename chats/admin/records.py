"""What hangs on conversations, and what the site keeps about its own running."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from chats.models import AccessLog, Citation, DailyFigures, Feedback, RetentionRun, Runner, Usage
from chats.services.governance import may_read_text
from core.admin_lists import ReadOnlyAdmin


@admin.register(Citation)
class CitationAdmin(ReadOnlyAdmin):
    list_display = ["document_title", "marker", "cited", "score", "page", "slide", "start_seconds", "course"]
    list_filter = ["cited", "course"]
    list_select_related = ["course"]
    search_fields = ["document_title"]
    raw_id_fields = ["message"]
    ordering = ["-pk"]


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin):
    list_display = ["rating", "said", "person", "course", "created_at"]
    list_filter = ["rating", "created_at"]
    list_select_related = ["message__session__user", "message__session__course"]
    search_fields = ["message__session__user__username", "message__session__course__code"]
    ordering = ["-pk"]

    def get_fields(self, request: HttpRequest, obj: Feedback | None = None) -> list[Any]:
        hidden = [] if may_read_text(request.user) else ["comment"]
        return [name for name in ("message", "rating", "comment", "created_at", "updated_at") if name not in hidden]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = may_read_text(request.user)
        return [name for name in ("rating", "said", "person", "course", "created_at") if shown or name != "said"]

    @admin.display(description="comment")
    def said(self, feedback: Feedback) -> str:
        return feedback.comment[:80]

    @admin.display(ordering="message__session__user__username")
    def person(self, feedback: Feedback) -> str:
        return feedback.message.session.user.get_username()

    @admin.display(ordering="message__session__course__code")
    def course(self, feedback: Feedback) -> str:
        return str(feedback.message.session.course or "")


@admin.register(Usage)
class UsageAdmin(ReadOnlyAdmin):
    list_display = ["day", "user", "course", "questions", "prompt_tokens", "completion_tokens", "reserved_tokens"]
    list_filter = ["course", "day"]
    list_select_related = ["user", "course"]
    search_fields = ["user__username", "course__code"]
    ordering = ["-day", "-pk"]


@admin.register(Runner)
class RunnerAdmin(ReadOnlyAdmin):
    list_display = ["host", "pid", "started_at", "heartbeat_at"]
    ordering = ["-heartbeat_at"]


@admin.register(RetentionRun)
class RetentionRunAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "finished_at", "scheduled", "soft_deleted", "purged", "messages", "error"]
    list_filter = ["scheduled", "started_at"]


@admin.register(DailyFigures)
class DailyFiguresAdmin(ReadOnlyAdmin):
    list_display = ["day", "course", "sessions", "questions", "students", "failed", "first_token_p95_ms"]
    list_filter = ["day", "course"]
    list_select_related = ["course"]
    ordering = ["-day", "course__code"]


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    """Who looked at whose conversation. For superusers, who are answerable for the others."""

    list_display = ["at", "viewer", "action", "owner", "session", "text_shown"]
    list_filter = ["action", "at"]
    list_select_related = ["viewer", "owner"]
    search_fields = ["viewer__username", "owner__username", "=session"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: AccessLog | None = None) -> bool:
        return self.has_module_permission(request)
