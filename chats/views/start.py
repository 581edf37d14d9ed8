"""Where a chat begins."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from chats import replies
from chats.views import finding
from core.doors import SignedInRequest, page, status_of
from core.errors import DomainError, Forbidden, NotFound
from core.ids import parse_uuid, uuid7
from courses.models import Course, Lecture

EXAMPLES = (
    "What is the main idea of “{title}”?",
    "What should I remember from lecture {number}, “{title}”?",
    "Explain “{title}” with a small example.",
)


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    return redirect("chats:new" if request.user.is_authenticated else "account_login")


@require_http_methods(["GET", "POST"])
@page
def new(request: SignedInRequest) -> HttpResponse:
    """The page of a new chat, and its first question. With `q` it is the search through all chats instead."""
    if request.method == "POST":
        return _begin(request)
    if query := request.GET.get("q", "").strip():
        return finding.results(request, query)
    return render(request, "chats/new.html", _start_page(request))


def _start_page(request: SignedInRequest, *, text: str = "", note: str = "", chosen: str = "") -> dict[str, Any]:
    """What the page of a new chat shows; `text` and `note` bring back a question that could not be taken."""
    courses = list(Course.objects.for_user(request.user).filter(is_archived=False).order_by("title"))
    wanted = parse_uuid(chosen or request.GET.get("course"))
    course = next((each for each in courses if each.pk == wanted), courses[0] if courses else None)
    return {
        "courses": courses,
        "course": course,
        "examples": _examples(course) if course else [],
        "client_id": uuid7(),
        "limit": settings.MESSAGE_MAX_CHARS,
        "text": text or request.GET.get("text", ""),
        "note": note,
    }


def _examples(course: Course) -> list[str]:
    lectures = Lecture.objects.filter(course=course).order_by("number")[: len(EXAMPLES)]
    return [
        example.format(title=lecture.title, number=lecture.number)
        for example, lecture in zip(EXAMPLES, lectures, strict=False)
    ]


def _begin(request: SignedInRequest) -> HttpResponse:
    """Start a chat with its first question. The same `client_id` again finds the chat that it made."""
    text = request.POST.get("example") or request.POST.get("text", "")
    course_id, client_id = request.POST.get("course", ""), request.POST.get("client_id") or None
    try:
        turn = replies.begin(user=request.user, course_id=course_id, text=text, client_id=client_id)
    except (NotFound, Forbidden):
        raise
    except DomainError as error:
        page_data = _start_page(request, text=text, note=error.detail, chosen=course_id)
        return render(request, "chats/new.html", page_data, status=status_of(error))
    return redirect("chats:session", turn.session.pk)
