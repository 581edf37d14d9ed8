"""Files and folders into a course, read on the spot."""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from core.errors import DomainError
from courses import ingestion
from courses.models import Course, Document, Lecture
from courses.services import documents


class Command(BaseCommand):
    help = "Add files, or folders of files, to a course and read them, with one line per file about how it went."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("course_code", metavar="COURSE_CODE")
        parser.add_argument("paths", metavar="PATH", nargs="+", type=Path)
        parser.add_argument("--lecture", metavar="N", type=int, help="the number of the lecture that they belong to")

    def handle(self, *, course_code: str, paths: list[Path], lecture: int | None, **_: Any) -> None:
        course = Course.objects.filter(code=course_code).first()
        if course is None:
            raise CommandError(f"There is no course with the code {course_code!r}.")
        placed = None
        if lecture is not None:
            placed = Lecture.objects.filter(course=course, number=lecture).first()
            if placed is None:
                raise CommandError(f"The course has no lecture {lecture}.")
        files = list(files_in(paths))
        if not files:
            raise CommandError("There are no files to add.")
        problems = 0
        for path in tqdm(files, unit="file", disable=None):
            line, good = add(course, placed, path)
            problems += not good
            with tqdm.external_write_mode():
                self.stdout.write(f"{'ok' if good else 'FAILED':<7}{path}: {line}")
        if problems:
            raise CommandError(f"{problems} of {len(files)} files could not be added.")


def files_in(paths: list[Path]) -> Iterator[Path]:
    """The files named, and those in the folders named, in order; hidden ones in folders are left out."""
    for path in paths:
        if path.is_dir():
            inside = (found for found in path.rglob("*") if found.is_file())
            yield from sorted(found for found in inside if not _hidden(found.relative_to(path)))
        elif path.is_file():
            yield path
        else:
            raise CommandError(f"{path} is neither a file nor a folder.")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def add(course: Course, lecture: Lecture | None, path: Path) -> tuple[str, bool]:
    """Add one file and read it here. Returns what to tell, and whether it went well."""
    try:
        with path.open("rb") as file:
            document, created = documents.add(user=None, course=course, file=File(file, path.name), lecture=lecture)
    except DomainError as error:
        return error.detail, False
    except OSError as error:
        return error.strerror or "can't be read", False
    if not created and document.state == Document.State.READY:
        return "the course has it already", True
    ingestion.ingest(document.pk)
    document.refresh_from_db()
    if document.state == Document.State.READY:
        passages = f"{document.passage_count} passage{'' if document.passage_count == 1 else 's'}"
        return f"{passages}{'. ' + document.error if document.error else ''}", True
    return document.error or "another worker is reading it", document.state != Document.State.FAILED
