"""What every page of a signed-in person carries."""

from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from chats import markup
from chats.services import sessions
from chats.views.sidebar import listing, read_cursor
from core.ids import parse_uuid
from courses.models import Course

register = template.Library()


@register.inclusion_tag("_sidebar.html", takes_context=True)
def sidebar(context: dict[str, Any]) -> dict[str, Any]:
    """The rail with the person's courses and chats; without a person (an error page) an empty one."""
    request = context["request"]
    shown = {"request": request, "user": request.user, "csrf_token": context.get("csrf_token"), "query": ""}
    if not request.user.is_authenticated:
        return shown
    courses = Course.objects.for_user(request.user).filter(is_archived=False).order_by("title")
    match = request.resolver_match
    current = match.kwargs.get("session_id") if match else None
    return {
        **shown,
        "query": request.GET.get("q", ""),
        "courses": courses,
        "current_id": current,
        "current_course": match.kwargs.get("course_id") if match else None,
        **listing(user=request.user, cursor=read_cursor(request.GET)),
    }


@register.inclusion_tag("_undo.html", takes_context=True)
def undo(context: dict[str, Any]) -> dict[str, Any]:
    """What was deleted just before this page, with a way to bring it back."""
    request = context["request"]
    session_id = parse_uuid(request.GET.get("deleted"))
    if session_id is None or not request.user.is_authenticated:
        return {}
    deleted = sessions.visible(user=request.user, state="deleted").filter(pk=session_id).first()
    return {"deleted": deleted, "csrf_token": context.get("csrf_token")}


@register.filter
def markdown(text: str) -> SafeString:
    """A text of the course's material as safe HTML."""
    return mark_safe("\n".join(markup.render(text)))  # noqa: S308 - the renderer has sanitised it
