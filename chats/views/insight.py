"""What a course asks, as a fragment of the course's page."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from chats.services import insight
from core.doors import SignedInRequest, page

SPANS = (7, 30, 90)


@require_GET
@page
def course(request: SignedInRequest, course_id: UUID) -> HttpResponse:
    """For instructors; others in the course get 403, everybody else 404."""
    days = next((span for span in SPANS if str(span) == request.GET.get("days")), insight.DAYS)
    found = insight.of_course(user=request.user, course_id=course_id, days=days)
    context = {"insight": found, "course_id": course_id, "spans": SPANS, "smallest": insight.SMALLEST_GROUP}
    return render(request, "chats/_insight.html", context)
