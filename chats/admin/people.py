"""Accounts, with what an operator answers a person's request with: a file of everything, or erasure with a receipt."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import ERROR, SUCCESS
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from chats.models import ChatSession
from chats.services import disclosure, erasure, governance
from core.admin_lists import QuickAdmin

admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(QuickAdmin, UserAdmin):  # type: ignore[type-arg]
    """Django's own account pages; deleting is `purge_user`, which counts what goes and reads none of it."""

    change_form_template = "admin/chats/person.html"

    def get_actions(self, request: HttpRequest) -> Any:
        found = super().get_actions(request)
        found.pop("delete_selected", None)  # one person at a time, with a receipt
        return found

    def get_urls(self) -> list[URLPattern]:
        export = path("<int:user_id>/export/", self.admin_site.admin_view(self.export_view), name="auth_user_export")
        return [export, *super().get_urls()]

    def export_view(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Everything held about the person as one JSON file. That it was taken is written down."""
        person = self.get_object(request, str(user_id))
        if person is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(user_id))  # type: ignore[attr-defined,no-any-return]
        may_read = request.user.has_perm("chats.view_chatsession") and governance.may_read_text(request.user)
        if request.method != "POST" or not (may_read and self.has_view_permission(request, person)):
            raise PermissionDenied
        sessions = ChatSession.objects.filter(user=person).only("pk", "user_id")
        governance.note_access(viewer=request.user, sessions=sessions.iterator(), action="exported")
        return HttpResponse(
            disclosure.export(user=person),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="person-{person.pk}.json"'},
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        """What would go, counted; confirmed, it goes."""
        person = self.get_object(request, object_id)
        if person is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if not self.has_delete_permission(request, person):
            raise PermissionDenied
        if person == request.user:
            self.message_user(request, "Another operator has to remove your account.", ERROR)
            return HttpResponseRedirect(reverse("admin:auth_user_change", args=[person.pk]))
        if request.method == "POST":
            return self._purge(request, person)
        context = {
            **self.admin_site.each_context(request),
            "title": "Remove a person",
            "opts": self.opts,
            "person": person,
            "contents": erasure.purge(user=person, dry_run=True),
        }
        return TemplateResponse(request, "admin/chats/purge.html", context)

    def _purge(self, request: HttpRequest, person: User) -> HttpResponse:
        pk = str(person.pk)
        receipt = erasure.purge(user=person)
        LogEntry.objects.create(
            user=cast("User", request.user),
            content_type=ContentType.objects.get_for_model(User),
            object_id=pk,
            object_repr=erasure.ERASED,
            action_flag=DELETION,
        )
        gone = ", ".join(f"{count} {name}" for name, count in receipt.items())
        self.message_user(request, f"Removed for good: {gone}.", SUCCESS)
        return HttpResponseRedirect(reverse("admin:auth_user_changelist"))
