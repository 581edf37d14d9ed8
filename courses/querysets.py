"""Which rows a person may see. Enrolment is the only key to a course."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef

Person = AbstractBaseUser | AnonymousUser


class CourseQuerySet(models.QuerySet[Any]):
    def for_user(self, user: Person) -> "CourseQuerySet":
        """The courses that `user` is enrolled in, in whatever role."""
        return self.filter(_enrolled(user, "pk"))

    def taught_by(self, user: Person) -> "CourseQuerySet":
        """The courses that `user` is an instructor of."""
        return self.filter(_enrolled(user, "pk", role="instructor"))


class CourseOwnedQuerySet(models.QuerySet[Any]):
    """Rows with a `course`: visible to those enrolled in it."""

    def for_user(self, user: Person) -> "CourseOwnedQuerySet":
        return self.filter(_enrolled(user, "course_id"))

    def taught_by(self, user: Person) -> "CourseOwnedQuerySet":
        return self.filter(_enrolled(user, "course_id", role="instructor"))


class PassageQuerySet(models.QuerySet[Any]):
    def for_user(self, user: Person) -> "PassageQuerySet":
        return self.filter(_enrolled(user, "document__course_id"))


def _enrolled(user: Person, course_field: str, **conditions: str) -> Exists:
    from courses.models import Enrollment

    return Exists(Enrollment.objects.filter(course_id=OuterRef(course_field), user_id=_key(user), **conditions))


def _key(user: Person) -> Any:
    # An anonymous visitor has no primary key, and no row is owned by NULL.
    return user.pk
