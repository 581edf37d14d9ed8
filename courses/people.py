"""The page about who is in a course, and the page on which one joins."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.errors import DomainError, Invalid, NotFound
from courses.models import Course
from courses.services import enrolments, joining, roster

PEOPLE_SHOWN = 1000


@never_cache
@require_GET
@login_required
def show(request: HttpRequest, course_id: UUID) -> HttpResponse:
    return _page(request, _taught(request, course_id))


@require_POST
@login_required
def add(request: HttpRequest, course_id: UUID) -> HttpResponse:
    """Enrol one person."""
    course = _taught(request, course_id)
    name, role = request.POST.get("username", "").strip(), request.POST.get("role", "student")
    try:
        enrolments.enrol(user=request.user, course_id=course.pk, username=name, role=role)
    except Invalid as error:
        return _refused(request, course, error)
    messages.success(request, f"{name} is enrolled as {role}.")
    return redirect("courses:people", course.pk)


@require_POST
@login_required
def remove(request: HttpRequest, course_id: UUID) -> HttpResponse:
    """Take one person out. What they have open of the course closes at once."""
    course = _taught(request, course_id)
    name = request.POST.get("username", "")
    try:
        enrolments.unenrol(user=request.user, course_id=course.pk, username=name)
    except (Invalid, NotFound) as error:
        return _refused(request, course, error)
    messages.success(request, f"{name} is no longer in the course.")
    return redirect("courses:people", course.pk)


@require_POST
@login_required
def upload(request: HttpRequest, course_id: UUID) -> HttpResponse:
    """A list as CSV: first what would happen, then, confirmed, it happens."""
    course = _taught(request, course_id)
    try:
        if "confirmed" in request.POST:
            count, refused = roster.enrol(user=request.user, course_id=course.pk, text=request.POST.get("text", ""))
            messages.success(request, f"{count} enrolled or changed, {len(refused)} left out.")
            return redirect("courses:people", course.pk)
        file = request.FILES.get("file")
        text = roster.decode(file.read(roster.BYTES_MOST + 1) if file else b"")
        rows = roster.read(user=request.user, course_id=course.pk, text=text)
    except Invalid as error:
        return _refused(request, course, error)
    context = {"course": course, "rows": rows, "text": text, "count": sum(row.changes for row in rows)}
    return render(request, "courses/roster.html", context)


@require_POST
@login_required
def make_link(request: HttpRequest, course_id: UUID) -> HttpResponse:
    course = _taught(request, course_id)
    days = request.POST.get("days", "")
    try:
        joining.make(
            user=request.user, course_id=course.pk, days=int(days) if days.isdecimal() and len(days) < 5 else 0
        )
    except Invalid as error:
        return _refused(request, course, error)
    return redirect("courses:people", course.pk)


@require_POST
@login_required
def close_link(request: HttpRequest, course_id: UUID, link_id: int) -> HttpResponse:
    course = _taught(request, course_id)
    try:
        joining.close(user=request.user, course_id=course.pk, link_id=link_id)
    except NotFound as error:
        raise Http404 from error
    messages.success(request, "The code no longer works.")
    return redirect("courses:people", course.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def join(request: HttpRequest, code: str) -> HttpResponse:
    """Asks first: a link that enrols by being opened could be hidden in any picture."""
    try:
        if request.method != "POST":
            return render(request, "courses/join.html", {"course": joining.course_of(code=code), "code": code})
        course = joining.join(user=request.user, code=code)
    except NotFound as error:
        raise Http404(error.detail) from error
    messages.success(request, f"Welcome to {course.title}.")
    return redirect("courses:show", course.pk)


def _taught(request: HttpRequest, course_id: UUID) -> Course:
    """The course, if the person teaches it. Others in it get 403, everybody else 404."""
    course: Course = get_object_or_404(Course.objects.for_user(request.user), pk=course_id)
    if not roster.may_manage(user=request.user, course=course):
        raise PermissionDenied(enrolments.NOT_AN_INSTRUCTOR)
    return course


def _refused(request: HttpRequest, course: Course, error: DomainError) -> HttpResponse:
    fields = getattr(error, "errors", {})
    messages.error(request, " ".join(text for texts in fields.values() for text in texts) or error.detail)
    return _page(request, course, status=422)


def _page(request: HttpRequest, course: Course, status: int = 200) -> HttpResponse:
    people = enrolments.listed(user=request.user, course_id=course.pk)
    context: dict[str, Any] = {
        "course": course,
        "people": people[:PEOPLE_SHOWN],
        "more": max(0, people.count() - PEOPLE_SHOWN),
        "links": joining.open_links(course=course),
    }
    return render(request, "courses/people.html", context, status=status)
