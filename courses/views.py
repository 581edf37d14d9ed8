"""The courses' pages: what there is to learn from, and for instructors what the tutor may know."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import F, OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET, require_POST

from core.doors import SignedInRequest, page
from core.errors import Invalid, NotFound
from courses import viewer
from courses.models import Course, Document, Enrollment, Lecture
from courses.services import documents

BUSY = ("pending", "processing")


@dataclass
class MaterialGroup:
    """A lecture with its documents; without a lecture, what belongs to the whole course."""

    lecture: Lecture | None
    documents: list[Document] = field(default_factory=list)


@require_GET
@page
def index(request: SignedInRequest) -> HttpResponse:
    role = Enrollment.objects.filter(course=OuterRef("pk"), user=request.user).values("role")
    courses = Course.objects.for_user(request.user).filter(is_archived=False).annotate(role=Subquery(role))
    return render(request, "courses/list.html", {"courses": courses.order_by("title")})


@require_GET
@page
def show(request: SignedInRequest, course_id: UUID) -> HttpResponse:
    course = _course(request, course_id)
    context = {**_material(request, course), "upload_max_mb": settings.UPLOAD_MAX_MB, "insight_url": _insight(course)}
    return render(request, "courses/detail.html", context)


@require_GET
@page
def material(request: SignedInRequest, course_id: UUID) -> HttpResponse:
    """The list of documents as a fragment; it asks for itself again while one is being read."""
    return render(request, "courses/_material.html", _material(request, _course(request, course_id)))


@require_GET
@page
def document(request: SignedInRequest, course_id: UUID, document_id: UUID) -> HttpResponse:
    """A document to read in, at the passage that was cited."""
    shown = viewer.view(
        user=request.user,
        course_id=course_id,
        document_id=document_id,
        passage=request.GET.get("passage", ""),
    )
    return render(request, "courses/document.html", {"view": shown, "course": shown.document.course})


@require_POST
@page
def upload(request: SignedInRequest, course_id: UUID) -> HttpResponse:
    """Take files into the course; each that can't be taken is named with the reason."""
    course = _course(request, course_id)
    lecture = request.POST.get("lecture") or None
    files = request.FILES.getlist("file")
    if not files:
        raise Invalid("Choose a file first.")
    title = request.POST.get("title", "") if len(files) == 1 else ""
    for file in files:
        try:
            added = documents.add(user=request.user, course=course, file=file, title=title, lecture=lecture)
        except Invalid as error:
            reasons = [reason for field_reasons in error.errors.values() for reason in field_reasons]
            messages.error(request, f"{file.name}: {' '.join(reasons) or error.detail}")
        else:
            known = "" if added.created else " It was here already."
            messages.success(request, f"{added.document.title} was taken in.{known}")
    return redirect("courses:show", course.pk)


@require_POST
@page
def reingest(request: SignedInRequest, course_id: UUID, document_id: UUID) -> HttpResponse:
    documents.reingest(user=request.user, document_id=_document(request, course_id, document_id).pk)
    return redirect("courses:show", course_id)


@require_POST
@page
def remove(request: SignedInRequest, course_id: UUID, document_id: UUID) -> HttpResponse:
    document = _document(request, course_id, document_id)
    documents.remove(user=request.user, document_id=document.pk)
    messages.success(request, f"{document.title} was removed. Chats that cite it keep their quotes.")
    return redirect("courses:show", course_id)


def _course(request: SignedInRequest, course_id: UUID) -> Course:
    course: Course | None = Course.objects.for_user(request.user).filter(pk=course_id).first()
    if course is None:
        raise NotFound
    return course


def _document(request: SignedInRequest, course_id: UUID, document_id: UUID) -> Document:
    document: Document | None = Document.objects.for_user(request.user).filter(pk=document_id, course=course_id).first()
    if document is None:
        raise NotFound
    return document


def _insight(course: Course) -> str:
    """Where the course's insight is, if something that knows of conversations serves it: this app doesn't."""
    try:
        return reverse("chats:course-insight", args=[course.pk])
    except NoReverseMatch:
        return ""


def _material(request: SignedInRequest, course: Course) -> dict[str, Any]:
    teaches = Course.objects.taught_by(request.user).filter(pk=course.pk).exists()
    lectures = list(Lecture.objects.filter(course=course).order_by("number"))
    groups = {lecture.pk: MaterialGroup(lecture) for lecture in lectures}
    general = MaterialGroup(None)
    by_lecture = F("lecture__number").asc(nulls_last=True)
    found = list(Document.objects.filter(course=course).order_by(by_lecture, "title"))
    for document in found:
        if teaches or document.state == "ready":
            groups.get(document.lecture_id, general).documents.append(document)
    return {
        "course": course,
        "teaches": teaches,
        "lectures": lectures,
        "material": [*groups.values(), *([general] if general.documents else [])],
        "busy": teaches and any(document.state in BUSY for document in found),
    }
