"""Who is in a course. Its instructors decide; `user=None` is the site itself."""

import uuid

from django.contrib.auth import get_user_model
from django.db import transaction

from core import broadcast
from core.errors import Forbidden, Invalid, NotFound
from core.ids import parse_uuid
from courses.models import Course, Enrollment
from courses.querysets import CourseOwnedQuerySet, Person

NOT_AN_INSTRUCTOR = "Only the instructors of a course may see and change who is in it."


def enrol(
    *, user: Person | None, course_id: uuid.UUID | str, username: str, role: str = Enrollment.Role.STUDENT
) -> tuple[Enrollment, bool]:
    """Enrol the person called `username`, or change the role of who is enrolled. Returns it and whether it is new.

    Raises NotFound, Forbidden, and Invalid with `errors` for `username` or `role`.
    """
    course = _taught_course(user, course_id)
    if role not in Enrollment.Role.values:
        raise Invalid(errors={"role": [f"This must be one of: {', '.join(Enrollment.Role.values)}."]})
    person = get_user_model().objects.filter(username=username.replace("\0", ""), is_active=True).first()
    if person is None:
        raise Invalid(errors={"username": ["There is no account with this name."]})
    with transaction.atomic():
        _keep_an_instructor(course, person, role)
        return Enrollment.objects.update_or_create(course=course, user=person, defaults={"role": role})


def unenrol(*, user: Person | None, course_id: uuid.UUID | str, username: str) -> None:
    """Take a person out of the course. Their open connections to it are closed. Raises NotFound, Forbidden, Invalid."""
    course = _taught_course(user, course_id)
    with transaction.atomic():
        enrolment = Enrollment.objects.select_related("user").filter(course=course, user__username=username).first()
        if enrolment is None:
            raise NotFound("Nobody with this name is enrolled in the course.")
        _keep_an_instructor(course, enrolment.user, role="")
        enrolment.delete()


def listed(*, user: Person | None, course_id: uuid.UUID | str) -> CourseOwnedQuerySet:
    """The enrolments of a course by name, for its instructors. Raises NotFound, Forbidden."""
    course = _taught_course(user, course_id)
    rows: CourseOwnedQuerySet = (
        Enrollment.objects.filter(course=course).select_related("user").order_by("user__username")
    )
    return rows


def access_changed(enrolment: Enrollment) -> None:
    """Tell open connections of the person, once this is committed, to look again at what they may see."""
    topic = f"user.{enrolment.user_id}"
    message = {"event": "access.changed"}
    transaction.on_commit(lambda: broadcast.publish(topic, message))


def _keep_an_instructor(course: Course, person: Person, role: str) -> None:
    """Refuse to leave a course without instructors. The course is locked: two can't both leave as last but one."""
    Course.objects.select_for_update().get(pk=course.pk)
    instructors = Enrollment.objects.filter(course=course, role=Enrollment.Role.INSTRUCTOR)
    is_last = instructors.filter(user=person).exists() and not instructors.exclude(user=person).exists()
    if is_last and role != Enrollment.Role.INSTRUCTOR:
        problem = "This is the last instructor of the course. Make somebody else instructor first."
        raise Invalid(problem, errors={"username": [problem]})


def _taught_course(user: Person | None, course_id: uuid.UUID | str) -> Course:
    known_id = parse_uuid(course_id)
    if known_id is None:
        raise NotFound
    rows = Course.objects.filter(pk=known_id)
    course: Course | None = (rows if user is None else rows.for_user(user)).first()
    if course is None:
        raise NotFound
    if user is not None and not rows.taught_by(user).exists():
        raise Forbidden(NOT_AN_INSTRUCTOR)
    return course
