"""Enrolling a list of people in the admin: choose the course and a CSV file, see what would happen, let it happen."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.messages import SUCCESS, WARNING
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from core.errors import Invalid
from courses.models import Course
from courses.services import roster

REFUSED_SHOWN = 20


class ListForm(forms.Form):
    course = forms.ModelChoiceField(Course.objects.order_by("code"))
    file = forms.FileField(
        label="CSV file",
        help_text="One person per line: a user name or mail address, then, if not a student, “instructor”.",
    )


class ConfirmedForm(forms.Form):
    course = forms.ModelChoiceField(Course.objects.all(), widget=forms.HiddenInput)
    text = forms.CharField(widget=forms.HiddenInput, strip=False)


class RosterMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Adds the page to the admin of enrolments."""

    change_list_template = "admin/courses/enrolments.html"

    def get_urls(self) -> list[URLPattern]:
        page = path("list/", self.admin_site.admin_view(self.enrol_list), name="courses_enrollment_list")
        return [page, *super().get_urls()]

    def enrol_list(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        try:
            if request.method == "POST" and "confirmed" in request.POST:
                confirmed = ConfirmedForm(request.POST)
                if confirmed.is_valid():
                    return self._enrol(request, **confirmed.cleaned_data)
            form = ListForm(request.POST or None, request.FILES or None)
            if form.is_valid():
                return self._preview(request, **form.cleaned_data)
        except Invalid as error:
            form = ListForm(request.POST, request.FILES)
            form.is_valid()
            for message in error.errors.get("file") or [error.detail]:
                form.add_error("file" if request.FILES else None, message)
        return self._page(request, "admin/courses/enrol_list.html", form=form)

    def _preview(self, request: HttpRequest, course: Course, file: Any) -> HttpResponse:
        text = roster.decode(file.read(roster.BYTES_MOST + 1))
        rows = roster.read(user=None, course_id=course.pk, text=text)
        return self._page(
            request,
            "admin/courses/enrol_list_preview.html",
            course=course,
            rows=rows,
            count=sum(row.changes for row in rows),
            refused=sum(bool(row.problem) for row in rows),
            confirmed=ConfirmedForm(initial={"course": course.pk, "text": text}),
        )

    def _enrol(self, request: HttpRequest, course: Course, text: str) -> HttpResponse:
        count, refused = roster.enrol(user=None, course_id=course.pk, text=text)
        self.log_change(request, course, f"Enrolled or changed {count} people from a list.")
        self.message_user(request, f"{count} enrolled or changed in {course.code}.", SUCCESS)
        if refused:
            named = "; ".join(f"line {row.line}, {row.name}: {row.problem}" for row in refused[:REFUSED_SHOWN])
            more = len(refused) - REFUSED_SHOWN
            self.message_user(
                request, f"{len(refused)} left out. {named}{f'; and {more} more' if more > 0 else ''}.", WARNING
            )
        return HttpResponseRedirect(f"{reverse('admin:courses_enrollment_changelist')}?course__id__exact={course.pk}")

    def _page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "title": "Enrol a list", "opts": self.opts}
        return TemplateResponse(request, template, {**shared, **context})
