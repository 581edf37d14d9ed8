"""Making a course."""

from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, transaction

from core.errors import Forbidden, Invalid
from core.text import is_storable
from courses.models import Course, Enrollment


def create(*, user: User, code: str, title: str, description: str = "", instructions: str = "") -> Course:
    """A new course whose instructor is `user`, who must be staff or hold `courses.add_course`.

    Raises Forbidden, and Invalid with `errors` by field: a code that is taken, empty or too long values.
    """
    if not may_create(user):
        raise Forbidden("Only staff, and those allowed to, can add courses.")
    values = {"code": code.strip(), "title": title.strip(), "description": description, "instructions": instructions}
    errors = {name: ["This can't be stored as text."] for name, value in values.items() if not is_storable(value)}
    for name, longest in (("code", 40), ("title", 200)):
        if not values[name]:
            errors[name] = ["This may not be empty."]
        elif len(values[name]) > longest:
            errors[name] = [f"This may be {longest} characters long at most."]
    if errors:
        raise Invalid(errors=errors)
    try:
        with transaction.atomic():
            course = Course.objects.create(**values)
            Enrollment.objects.create(course=course, user=user, role=Enrollment.Role.INSTRUCTOR)
    except IntegrityError:
        raise Invalid(errors={"code": ["Another course has this code."]}) from None
    return course


def may_create(user: User | AnonymousUser) -> bool:
    """Whether `user` may add courses."""
    return user.is_active and (user.is_staff or user.has_perm("courses.add_course"))
