"""Courses, who is in them, and their material, for operators."""

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from core.admin_lists import QuickAdmin, ReadOnlyAdmin
from courses.admin_roster import RosterMixin
from courses.models import Course, Document, Enrollment, JoinLink, Lecture, Passage


class LectureInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Lecture
    extra = 0


@admin.register(Course)
class CourseAdmin(QuickAdmin):
    list_display = ["code", "title", "people", "documents", "ends_on", "retention_days", "is_archived"]
    list_filter = ["is_archived", "grounding", "ends_on"]
    search_fields = ["code", "title"]
    inlines = [LectureInline]
    readonly_fields = ["created_at", "updated_at"]
    fieldsets = [
        (None, {"fields": ["code", "title", "description", "language", "is_archived"]}),
        ("The tutor", {"fields": ["instructions", "grounding", "daily_token_quota"]}),
        ("Retention", {"fields": ["ends_on", "retention_days"]}),
        ("History", {"fields": ["created_at", "updated_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Course]":
        courses: QuerySet[Course] = super().get_queryset(request)
        return courses.annotate(people_count=_count(Enrollment), document_count=_count(Document))

    @admin.display(ordering="people_count")
    def people(self, course: Course) -> int:
        return course.people_count  # type: ignore[attr-defined,no-any-return]

    @admin.display(ordering="document_count")
    def documents(self, course: Course) -> int:
        return course.document_count  # type: ignore[attr-defined,no-any-return]


@admin.register(Enrollment)
class EnrollmentAdmin(RosterMixin, QuickAdmin):
    list_display = ["user", "course", "role", "share_name", "created_at"]
    list_filter = ["role", "course"]
    list_select_related = ["user", "course"]
    search_fields = ["user__username", "user__email", "course__code"]
    autocomplete_fields = ["user", "course"]
    readonly_fields = ["share_name", "created_at"]
    ordering = ["-created_at", "-pk"]


@admin.register(Lecture)
class LectureAdmin(QuickAdmin):
    list_display = ["number", "title", "course", "held_on"]
    list_display_links = ["title"]
    list_filter = ["course"]
    list_select_related = ["course"]
    search_fields = ["title", "course__code"]
    autocomplete_fields = ["course"]
    ordering = ["course__code", "number"]


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    """Material comes in through the course's page, the API or `add_material`, which read it too."""

    list_display = ["title", "course", "lecture", "kind", "state", "passage_count", "size", "created_at"]
    list_filter = ["state", "kind", "course"]
    list_select_related = ["course", "lecture"]
    search_fields = ["title", "file_name", "course__code", "sha256"]
    ordering = ["-created_at", "-pk"]


@admin.register(Passage)
class PassageAdmin(ReadOnlyAdmin):
    list_display = ["document", "position", "heading", "page", "slide", "start_seconds", "beginning"]
    list_select_related = ["document"]
    search_fields = ["document__title", "heading"]
    fields = ["document", "position", "heading", "page", "slide", "start_seconds", "text"]
    ordering = ["-pk"]

    @admin.display(description="text")
    def beginning(self, passage: Passage) -> str:
        return passage.text[:80]


@admin.register(JoinLink)
class JoinLinkAdmin(QuickAdmin):
    list_display = ["code", "course", "expires_at", "is_open", "created_by", "created_at"]
    list_filter = ["is_open", "expires_at"]
    list_select_related = ["course", "created_by"]
    search_fields = ["code", "course__code", "course__title"]
    autocomplete_fields = ["course", "created_by"]
    readonly_fields = ["created_at"]
    ordering = ["-created_at", "-pk"]


def _count(model: type[Enrollment] | type[Document]) -> Coalesce:
    """How many rows of `model` a course has, counted by itself: two joins would multiply each other."""
    rows = model.objects.filter(course_id=OuterRef("pk")).order_by().values("course_id")
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n")), 0)
