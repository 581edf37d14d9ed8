"""What I used today, of how much."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from chats.api import shapes
from chats.services import quota
from core.api.schema import operation
from core.api.views import ApiViewSet
from courses.models import Course

ZERO = {
    "tokens_today": 1200,
    "reserved_tokens": 0,
    "quota": 50_000,
    "remaining": 48_800,
    "resets_at": "2026-11-22T00:00:00Z",
}


class UsageView(ApiViewSet):
    """My tokens today (UTC), the quota, and when it resets."""

    tag = "usage"

    @operation("What I used today", name="usage", answer=shapes.MyUsageData, answers={**ZERO, "courses": []})
    def list(self, request: Request) -> Response:
        user_id = request.user.pk
        courses = Course.objects.for_user(request.user).order_by("code")
        own = [
            {"course_id": course.pk, **_data(allowance)}
            for course, allowance in quota.allowances(user_id=user_id, courses=courses)
        ]
        return Response({**_data(quota.allowance(user_id=user_id)), "courses": own})


def _data(allowance: quota.Allowance) -> dict[str, Any]:
    spent = allowance.used_tokens + allowance.reserved_tokens
    return {
        "tokens_today": allowance.used_tokens,
        "reserved_tokens": allowance.reserved_tokens,
        "quota": allowance.quota or None,
        "remaining": max(0, allowance.quota - spent) if allowance.quota else None,
        "resets_at": allowance.resets_at,
    }
