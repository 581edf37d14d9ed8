"""The turn inspector: what became of one question, and the replies that are being made now."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.messages import SUCCESS, WARNING
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chats.admin import transcript
from chats.models import ChatSession, Message, ReplyAttempt, Runner
from chats.services import governance
from chats.services.costs import cost
from core.admin_lists import MadeFilter, QuickAdmin, ReadOnlyAdmin
from core.ids import parse_uuid

RUNNING_SHOWN = 200


class ReplyStateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("running", "running now"), ("failed", "failed"), ("stopped", "stopped")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Message]") -> "QuerySet[Message] | None":
        if self.value() == "running":
            return queryset.filter(state__in=["queued", "streaming"])
        return queryset.filter(state=self.value()) if self.value() in ("failed", "stopped") else None


@admin.register(Message)
class ReplyAdmin(QuickAdmin):
    """Replies, newest first. The people's own messages are read in the transcript."""

    list_display = [
        "asked",
        "person",
        "course",
        "state",
        "error_code",
        "model",
        "first_token",
        "total",
        "tokens",
        "dollars",
    ]
    list_display_links = ["asked"]
    list_filter = [ReplyStateFilter, MadeFilter]
    search_fields = ["error_code"]
    search_help_text = "The id of a reply or a conversation, a provider's request id, a user name or an error code."
    list_select_related = ["session__user", "session__course"]
    ordering = ["-id"]
    actions = ["requeue", "stop"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Message | None = None) -> bool:
        return False  # a message goes with its conversation

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Message]":
        return super().get_queryset(request).filter(role="assistant").defer("content", "reasoning", "raw")

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Message]", search_term: str
    ) -> tuple["QuerySet[Message]", bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if uuid := parse_uuid(term):
            return queryset.filter(Q(pk=uuid) | Q(session_id=uuid)), False
        if person := User.objects.filter(username=term).first():
            return queryset.filter(session__in=ChatSession.objects.filter(user=person)), False
        by_request = list(
            ReplyAttempt.objects.exclude(request_id="")
            .filter(request_id=term)
            .values_list("reply_id", flat=True)[:1000]
        )
        if by_request:
            return queryset.filter(pk__in=by_request), False
        return queryset.filter(state="failed", error_code=term), False

    @admin.display(ordering="id")
    def asked(self, reply: Message) -> str:
        return f"{reply.created_at:%Y-%m-%d %H:%M:%S}"

    @admin.display
    def person(self, reply: Message) -> str:
        return reply.session.user.get_username()

    @admin.display
    def course(self, reply: Message) -> str:
        return reply.session.course.code if reply.session.course else ""

    @admin.display
    def first_token(self, reply: Message) -> str:
        return _seconds(reply.created_at, reply.first_token_at)

    @admin.display
    def total(self, reply: Message) -> str:
        return _seconds(reply.created_at, reply.finished_at)

    @admin.display
    def tokens(self, reply: Message) -> int | str:
        return (reply.prompt_tokens or 0) + (reply.completion_tokens or 0) or ""

    @admin.display(description="cost")
    def dollars(self, reply: Message) -> str:
        found = cost(reply.model, reply.prompt_tokens, reply.completion_tokens)
        return "" if found is None else f"${found:.4f}"

    def get_urls(self) -> list[URLPattern]:
        running = path("running/", self.admin_site.admin_view(self.running_view), name="chats_message_running")
        return [running, *super().get_urls()]

    def running_view(self, request: HttpRequest) -> HttpResponse:
        """Replies being made and the processes that make them. The page renews itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._stop_one(request)
        replies = Message.objects.running().defer("content", "reasoning", "raw").order_by("id")
        context = {
            **self.admin_site.each_context(request),
            "title": "Replies being made",
            "opts": self.opts,
            "now": timezone.now(),
            "replies": replies.select_related("session__user", "session__course", "runner")[:RUNNING_SHOWN],
            "runners": Runner.objects.order_by("-heartbeat_at"),
            "may_stop": self.has_change_permission(request),
        }
        return TemplateResponse(request, "admin/chats/running.html", context)

    def _stop_one(self, request: HttpRequest) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        stopped = governance.stop_replies(
            Message.objects.filter(pk__in=filter(None, [parse_uuid(request.POST.get("reply"))]))
        )
        level, text = (SUCCESS, "It is being stopped.") if stopped else (WARNING, "It had ended by itself.")
        self.message_user(request, text, level)
        return HttpResponseRedirect(reverse("admin:chats_message_running"))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """How one reply was made, from the question to its end."""
        rows = Message.objects.filter(role="assistant").select_related("session__user", "session__course", "parent")
        reply = rows.filter(pk=parse_uuid(object_id)).first()
        if reply is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if not self.has_view_permission(request, reply):
            raise PermissionDenied
        governance.note_access(viewer=request.user, sessions=[reply.session], action="viewed")
        attempts = list(reply.attempts.order_by("attempt"))
        text_shown = governance.may_read_text(request.user)
        context = {
            **self.admin_site.each_context(request),
            "title": "How a reply was made",
            "opts": self.opts,
            "reply": reply,
            "attempts": [(run, sent(run) if text_shown else []) for run in attempts],
            "timeline": timeline(reply, attempts),
            "citations": reply.citations.order_by("marker"),
            "cost": cost(reply.model, reply.prompt_tokens, reply.completion_tokens),
            "text_shown": text_shown,
            "blocks": transcript.blocks(reply) if text_shown else [],
            "may_change": self.has_change_permission(request, reply),
        }
        return TemplateResponse(request, "admin/chats/turn.html", context)

    @admin.action(description="Try failed replies again", permissions=["change"])
    def requeue(self, request: HttpRequest, queryset: "QuerySet[Message]") -> None:
        count = governance.requeue(queryset)
        skipped = queryset.count() - count
        text = f"{count} will be tried again." + (
            f" {skipped} can't be: not failed, or not the latest." if skipped else ""
        )
        self.message_user(request, text, SUCCESS if count else WARNING)

    @admin.action(description="Stop running replies", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: "QuerySet[Message]") -> None:
        self.message_user(request, f"{governance.stop_replies(queryset)} are being stopped.", SUCCESS)


def sent(run: ReplyAttempt) -> list[dict[str, str]]:
    """The prompt as it was sent: role and content. Kept as JSON text, which holds whatever one may write."""
    found: list[dict[str, str]] = json.loads(run.prompt) if isinstance(run.prompt, str) else run.prompt
    return found


def timeline(reply: Message, attempts: Sequence[ReplyAttempt]) -> list[tuple[str, datetime, str]]:
    """(what happened, when, seconds since it was asked), in order."""
    moments: list[tuple[str, datetime | None]] = [("asked", reply.created_at)]
    for run in attempts:
        who = f"attempt {run.attempt} on {run.runner_name or run.runner}"
        moments += [
            (f"claimed: {who}", run.started_at),
            (f"first token: attempt {run.attempt}", run.first_token_at),
            (f"{run.outcome or 'ended'}: attempt {run.attempt}", run.finished_at),
        ]
    moments.append((f"done: {reply.state}", reply.finished_at))
    known = sorted(((what, when) for what, when in moments if when is not None), key=lambda one: one[1])
    return [(what, when, _seconds(reply.created_at, when)) for what, when in known]


def _seconds(start: datetime, end: datetime | None) -> str:
    return "" if end is None else f"{(end - start).total_seconds():.2f} s"


@admin.register(ReplyAttempt)
class ReplyAttemptAdmin(ReadOnlyAdmin):
    """Every run of every reply; what was sent to the model is on the reply's own page."""

    list_display = ["started_at", "attempt", "runner_name", "outcome", "error_code", "request_id", "of"]
    list_filter = ["outcome", "error_code"]
    search_fields = ["=request_id", "=error_code"]
    ordering = ["-pk"]

    def get_fields(self, request: HttpRequest, obj: ReplyAttempt | None = None) -> list[Any]:
        return ["reply", "attempt", "runner_name", "started_at", "first_token_at", "finished_at", "outcome"]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ReplyAttempt]":
        return super().get_queryset(request).defer("prompt")

    @admin.display(description="reply")
    def of(self, run: ReplyAttempt) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:chats_message_change", args=[run.reply_id]), run.reply_id
        )
