"""The list of conversations, what an operator does with them, and reading one."""

import json
from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import ERROR, SUCCESS
from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse

from chats import search
from chats.admin import transcript
from chats.admin.filters import FailedFilter, PinnedFilter, RatedDownFilter, StateFilter
from chats.models import ChatSession, Message
from chats.services import erasure, exports, governance
from core.admin_lists import QuickAdmin
from core.ids import parse_uuid

EXPORT_MOST = 1000
PEOPLE_FOUND = 100
SHOWN_BEFORE_DELETION = 50
DELETED_AT_ONCE = 500


class SessionList(ChangeList):
    """Adds each row's figures with one query for the page, however many conversations there are."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        sessions = list(self.result_list)
        figures = figures_of([session.pk for session in sessions])
        text_shown = governance.may_read_text(request.user)
        for session in sessions:
            session.figures = figures.get(session.pk, {})
            if not text_shown:
                session.title = "Hidden"  # the list's checkboxes are named by it too
        self.result_list = sessions


def figures_of(session_ids: list[UUID]) -> dict[UUID, dict[str, int]]:
    """Messages, tokens, failed replies and thumbs of each of these conversations, all branches."""
    rows = (
        Message.objects.filter(session_id__in=session_ids)
        .order_by()
        .values("session_id")
        .annotate(
            messages=Count("pk", filter=Q(role__in=["user", "assistant"])),
            tokens=Sum(F("prompt_tokens") + F("completion_tokens"), default=0),
            failed=Count("pk", filter=Q(state="failed")),
            up=Count("pk", filter=Q(feedback__rating=1)),
            down=Count("pk", filter=Q(feedback__rating=-1)),
        )
    )
    return {row.pop("session_id"): row for row in rows}


@admin.register(ChatSession)
class ChatSessionAdmin(QuickAdmin):
    list_display = ["name", "user", "course", "messages", "tokens", "errors", "thumbs", "state", "last_activity_at"]
    list_filter = [StateFilter, FailedFilter, RatedDownFilter, PinnedFilter, "course", "last_activity_at"]
    list_select_related = ["user", "course"]
    search_fields = ["title"]
    search_help_text = "An id, a person's user name or mail address, or words that were said."
    ordering = ["-last_activity_at", "-id"]
    actions = ["put_away", "bring_back", "pin", "unpin", "export", "delete_permanently"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SessionList

    def get_actions(self, request: HttpRequest) -> Any:
        found = super().get_actions(request)
        found.pop("delete_selected", None)  # it reads every row that would go; `delete_permanently` counts them
        return found

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[ChatSession]", search_term: str
    ) -> tuple["QuerySet[ChatSession]", bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if uuid := parse_uuid(term):
            return queryset.filter(Q(pk=uuid) | Q(messages__pk=uuid)), True
        # Each by its own index first: one condition over all of them would read every conversation.
        people = User.objects.filter(Q(username__iexact=term) | Q(email__iexact=term)).values_list("pk", flat=True)
        found = Q(user__in=list(people[:PEOPLE_FOUND]))
        if governance.may_read_text(request.user):  # or a search would tell what the page hides
            found |= Q(pk__in=search.anybodys(term))
        return queryset.filter(found), False

    @admin.display(description="conversation", ordering="title")
    def name(self, session: ChatSession) -> str:
        return str(session)

    @admin.display
    def messages(self, session: ChatSession) -> int:
        return self._figure(session, "messages")

    @admin.display
    def tokens(self, session: ChatSession) -> int:
        return self._figure(session, "tokens")

    @admin.display
    def errors(self, session: ChatSession) -> int | str:
        return self._figure(session, "failed") or ""

    @admin.display
    def thumbs(self, session: ChatSession) -> str:
        up, down = self._figure(session, "up"), self._figure(session, "down")
        return " ".join(f"{sign}{count}" for sign, count in (("+", up), ("−", down)) if count)

    @admin.display
    def state(self, session: ChatSession) -> str:
        parts = [
            "deleted" if session.deleted_at else "archived" if session.archived_at else "active",
            "pinned" if session.pinned_at else "",
        ]
        return ", ".join(filter(None, parts))

    def _figure(self, session: ChatSession, name: str) -> int:
        return session.figures.get(name, 0)  # type: ignore[attr-defined,no-any-return]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The transcript. It can't be edited; that it was read is written down."""
        session = self.get_object(request, object_id)
        if session is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if not self.has_view_permission(request, session):
            raise PermissionDenied
        governance.note_access(viewer=request.user, sessions=[session], action="viewed")
        text_shown = governance.may_read_text(request.user)
        found = transcript.read(
            session=session, at=request.GET.get("at"), branch=request.GET.get("branch"), text=text_shown
        )
        context = {
            **self.admin_site.each_context(request),
            "title": str(session) if text_shown else "Conversation",
            "opts": self.opts,
            "original": session,
            "session": session,
            "figures": figures_of([session.pk]).get(session.pk, {}),
            "state": self.state(session),
            "transcript": found,
            "text_shown": text_shown,
            "is_noted": session.user_id != request.user.pk,
        }
        return TemplateResponse(request, "admin/chats/transcript.html", context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        session = self.get_object(request, object_id)
        if session is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if not self.has_delete_permission(request, session):
            raise PermissionDenied
        return self._confirm_deletion(request, [session.pk])

    @admin.action(description="Delete (can be restored)", permissions=["change"])
    def put_away(self, request: HttpRequest, queryset: "QuerySet[ChatSession]") -> None:
        self._say(request, governance.put_away(session_ids=_ids(queryset)), "deleted")

    @admin.action(description="Restore", permissions=["change"])
    def bring_back(self, request: HttpRequest, queryset: "QuerySet[ChatSession]") -> None:
        self._say(request, governance.bring_back(session_ids=_ids(queryset)), "restored")

    @admin.action(description="Pin: keep from retention", permissions=["change"])
    def pin(self, request: HttpRequest, queryset: "QuerySet[ChatSession]") -> None:
        self._say(request, governance.pin(session_ids=_ids(queryset)), "pinned")

    @admin.action(description="Unpin", permissions=["change"])
    def unpin(self, request: HttpRequest, queryset: "QuerySet[ChatSession]") -> None:
        self._say(request, governance.unpin(session_ids=_ids(queryset)), "unpinned")

    @admin.action(description="Export as JSON", permissions=["view"])
    def export(self, request: HttpRequest, queryset: "QuerySet[ChatSession]") -> HttpResponseBase | None:
        """A JSON Lines file, one conversation a line, all branches."""
        if not governance.may_read_text(request.user):
            self.message_user(request, "You may not read the text of messages, so not export it.", ERROR)
            return None
        sessions = list(queryset.select_related("course", "user").order_by("pk")[:EXPORT_MOST])
        governance.note_access(viewer=request.user, sessions=sessions, action="exported")
        return StreamingHttpResponse(
            (json.dumps(exports.document(session, records=True)) + "\n" for session in sessions),
            content_type="application/x-ndjson",
            headers={"Content-Disposition": 'attachment; filename="conversations.jsonl"'},
        )

    @admin.action(description="Delete permanently", permissions=["delete"])
    def delete_permanently(self, request: HttpRequest, queryset: "QuerySet[ChatSession]") -> HttpResponse:
        return self._confirm_deletion(request, _ids(queryset))

    def _confirm_deletion(self, request: HttpRequest, ids: list[UUID]) -> HttpResponse:
        """The page that lists exactly what goes, and its answer."""
        sessions = ChatSession.objects.filter(pk__in=ids).select_related("user", "course")
        if request.POST.get("confirmed") == "yes":
            chosen = list(sessions)
            governance.note_access(viewer=request.user, sessions=chosen, action="erased")
            by = cast("User", request.user)
            for session in chosen:
                # The log keeps the id alone: a title is what the student or the model wrote.
                LogEntry.objects.create(
                    user=by,
                    content_type=ContentType.objects.get_for_model(ChatSession),
                    object_id=str(session.pk),
                    object_repr=str(session.pk),
                    action_flag=DELETION,
                )
            removed = erasure.erase_sessions(ids)
            self.message_user(request, f"Removed for good: {_spell(removed)}.", SUCCESS)
            return HttpResponseRedirect(reverse("admin:chats_chatsession_changelist"))
        if len(ids) > DELETED_AT_ONCE:
            text = f"Choose at most {DELETED_AT_ONCE} at once. `manage.py cleanup_sessions` removes more, by rules."
            self.message_user(request, text, ERROR)
            return HttpResponseRedirect(reverse("admin:chats_chatsession_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete permanently",
            "opts": self.opts,
            "contents": erasure.contents(ids),
            "sessions": sessions[:SHOWN_BEFORE_DELETION],
            "more": max(0, len(ids) - SHOWN_BEFORE_DELETION),
            "ids": ids,
            "text_shown": governance.may_read_text(request.user),
        }
        return TemplateResponse(request, "admin/chats/delete_permanently.html", context)

    def _say(self, request: HttpRequest, count: int, done: str) -> None:
        noun = "conversation" if count == 1 else "conversations"
        self.message_user(request, f"{count} {noun} {done}.", SUCCESS)


def _ids(sessions: "QuerySet[ChatSession]") -> list[UUID]:
    return list(sessions.order_by().values_list("pk", flat=True))


def _spell(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"
