"""A course to try the site with, and people to try it as."""

import tomllib
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files import File
from django.db import transaction

from core.errors import Forbidden
from courses import ingestion
from courses.models import Course, Enrollment, Lecture
from courses.services import documents

log = structlog.get_logger(__name__)

MATERIAL = Path(__file__).parent / "introduction-to-machine-learning"
PASSWORD = "studybuddy"  # noqa: S105 - of accounts that exist only with DEBUG
ACCOUNTS = ("student", "other", "instructor", "admin")
ENROLLED = {"student": Enrollment.Role.STUDENT, "instructor": Enrollment.Role.INSTRUCTOR}


def load() -> Course:
    """The demo course with its material read and searchable, and with DEBUG the demo accounts: `student` and
    `instructor` are in the course, `other` is an outsider, `admin` runs the site. What exists is left as it is.
    """
    plan = tomllib.loads((MATERIAL / "course.toml").read_text(encoding="utf-8"))
    with transaction.atomic():
        course, _ = Course.objects.get_or_create(
            code=plan["code"], defaults={name: plan[name] for name in ("title", "description", "instructions")}
        )
        if settings.DEBUG:
            make_accounts(course)
    for lecture in plan["lectures"]:
        _load_lecture(course, lecture)
    return course


def make_accounts(course: Course) -> None:
    """The demo accounts, whose password everybody knows. Raises Forbidden without DEBUG."""
    if not settings.DEBUG:
        raise Forbidden("The demo accounts have a known password: they exist only with DEBUG.")
    people = get_user_model().objects
    for name in ACCOUNTS:
        if people.filter(username=name).exists():
            continue
        make = people.create_superuser if name == "admin" else people.create_user
        person = make(username=name, email=f"{name}@example.org", password=PASSWORD)
        if name in ENROLLED:
            Enrollment.objects.get_or_create(course=course, user=person, defaults={"role": ENROLLED[name]})


def accounts_exist() -> bool:
    """Whether the demo's student can still sign in with the known password."""
    student = get_user_model().objects.filter(username="student", is_active=True).first()
    return student is not None and student.check_password(PASSWORD)


def _load_lecture(course: Course, plan: dict[str, Any]) -> None:
    lecture, _ = Lecture.objects.get_or_create(
        course=course, number=plan["number"], defaults={"title": plan["title"], "held_on": plan.get("held_on")}
    )
    for entry in plan["documents"]:
        path = MATERIAL / entry["file"]
        with path.open("rb") as file:
            added = documents.add(
                user=None, course=course, file=File(file, path.name), title=entry["title"], lecture=lecture
            )
        # Read here, so that the first question finds something; the queued task finds nothing left to do.
        ingestion.ingest(added.document.pk)
