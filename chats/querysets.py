"""Which conversations a person may see."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import Q

from courses.models import Enrollment

Person = AbstractBaseUser | AnonymousUser


class ChatSessionQuerySet(models.QuerySet[Any]):
    def for_user(self, user: Person) -> "ChatSessionQuerySet":
        """The user's own conversations; those of a course only while enrolled in it."""
        return self.filter(Q(course__isnull=True) | Q(course__in=_courses(user)), user_id=_key(user))

    def active(self) -> "ChatSessionQuerySet":
        return self.filter(deleted_at__isnull=True, archived_at__isnull=True)

    def present(self) -> "ChatSessionQuerySet":
        """Not deleted; archived or not."""
        return self.filter(deleted_at__isnull=True)

    def newest_first(self) -> "ChatSessionQuerySet":
        return self.order_by("-last_activity_at", "-id")


class MessageQuerySet(models.QuerySet[Any]):
    def for_user(self, user: Person) -> "MessageQuerySet":
        """Messages of the user's own conversations that are not deleted."""
        return self.filter(
            Q(session__course__isnull=True) | Q(session__course__in=_courses(user)),
            session__user_id=_key(user),
            session__deleted_at__isnull=True,
            deleted_at__isnull=True,
        )

    def running(self) -> "MessageQuerySet":
        return self.filter(state__in=["queued", "streaming"])


def _courses(user: Person) -> models.QuerySet[Any, Any]:
    """The ids of the courses that the user is in: asked for once, not once for each conversation."""
    return Enrollment.objects.filter(user_id=_key(user)).values("course_id")


def _key(user: Person) -> Any:
    # An anonymous visitor has no primary key, and no row is owned by NULL.
    return user.pk
