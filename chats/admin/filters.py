"""Filters of the list of conversations. Each one stands on an index."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from chats.models import ChatSession, Feedback, Message

RATINGS = 2000


class YesFilter(admin.SimpleListFilter):
    """A filter with one choice besides all: only the rows of which it is true."""

    choice = "yes"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("yes", self.choice)]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[ChatSession]") -> "QuerySet[ChatSession] | None":
        return self.only(queryset) if self.value() == "yes" else None

    def only(self, sessions: "QuerySet[ChatSession]") -> "QuerySet[ChatSession]":
        raise NotImplementedError


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("active", "active"), ("archived", "archived"), ("deleted", "deleted")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[ChatSession]") -> "QuerySet[ChatSession] | None":
        match self.value():
            case "active":
                return queryset.filter(deleted_at__isnull=True, archived_at__isnull=True)
            case "archived":
                return queryset.filter(deleted_at__isnull=True, archived_at__isnull=False)
            case "deleted":
                return queryset.filter(deleted_at__isnull=False)
        return None


class PinnedFilter(YesFilter):
    title = "pinned"
    parameter_name = "pinned"
    choice = "kept from retention"

    def only(self, sessions: "QuerySet[ChatSession]") -> "QuerySet[ChatSession]":
        return sessions.filter(pinned_at__isnull=False)


class FailedFilter(YesFilter):
    title = "errors"
    parameter_name = "errors"
    choice = "has failed replies"

    def only(self, sessions: "QuerySet[ChatSession]") -> "QuerySet[ChatSession]":
        return sessions.filter(Exists(Message.objects.filter(session_id=OuterRef("pk"), state="failed")))


class RatedDownFilter(YesFilter):
    title = "rating"
    parameter_name = "rated"
    choice = "has replies rated down lately"

    def only(self, sessions: "QuerySet[ChatSession]") -> "QuerySet[ChatSession]":
        # From the newest ratings to their conversations: nobody works through more, and counting all takes long.
        down = Feedback.objects.filter(rating=-1).order_by("-pk").values("message__session_id")[:RATINGS]
        return sessions.filter(pk__in=down)
