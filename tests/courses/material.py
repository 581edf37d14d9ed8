"""Uploading as an instructor does, and working off the queue as the background worker does."""

from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.management import call_command

from courses.models import Course, Document
from courses.services import documents

DEMO = Path(__file__).resolve().parents[2] / "courses" / "demo" / "introduction-to-machine-learning"
HANDOUT = DEMO / "08-revision-handout.pdf"
NOTES = """# Convection

## Boiling point

The zanzibar effect makes the water boil at a lower temperature, and it is to be seen on the tops of mountains.
"""


def upload(
    user: User | None, course: Course, content: str | bytes = NOTES, name: str = "notes.md", **more: Any
) -> Document:
    data = content.encode() if isinstance(content, str) else content
    return documents.add(user=user, course=course, file=ContentFile(data, name), **more).document


def work() -> None:
    """Do what is queued, as the background worker does."""
    call_command("db_worker", batch=True, interval=0, startup_delay=False, verbosity=0)


def read(
    user: User | None, course: Course, content: str | bytes = NOTES, name: str = "notes.md", **more: Any
) -> Document:
    """Upload and read: the document as it ended."""
    document = upload(user, course, content, name, **more)
    work()
    document.refresh_from_db()
    return document
