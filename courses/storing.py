"""From bytes that somebody sent to a row and a file, once per course and content."""

import hashlib
import re
import unicodedata
from pathlib import PurePath
from typing import Any, BinaryIO, NamedTuple

from django.core.files.base import File
from django.db import IntegrityError, transaction

from core.text import storable
from courses.models import Course, Document, Lecture
from courses.parsing.blocks import ParseError
from courses.parsing.kinds import kind_of

CHUNK = 1 << 20
NAME_LENGTH = 300
SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


class Added(NamedTuple):
    """`created` is false when the course had the same file already: then `document` is that one."""

    document: Document
    created: bool


def store_file(
    *,
    course: Course,
    file: BinaryIO,
    name: str,
    title: str = "",
    lecture: Lecture | None = None,
    uploaded_by: Any = None,
    archive: Document | None = None,
) -> Added:
    """Keep `file` as a pending document of `course`. Nothing is read of it but its kind. Raises ParseError for a kind
    that can't be read and for an empty file.
    """
    name = clean_name(name)
    sha256, size = _digest(file)
    if not size:
        raise ParseError("The file is empty.")
    document = Document(
        course=course,
        lecture=lecture,
        title=(storable(" ".join(title.split())) or title_from(name))[:NAME_LENGTH],
        file_name=name,
        kind=kind_of(file, name),
        size=size,
        sha256=sha256,
        uploaded_by=uploaded_by,
        archive=archive,
    )
    known = Document.objects.filter(course=course, sha256=sha256).first()
    if known is not None:
        return Added(known, created=False)
    suffix = PurePath(name).suffix.lower()
    # The stored name says nothing of the given one: that may be anything.
    document.file.save(f"{document.pk}{suffix if SUFFIX.fullmatch(suffix) else ''}", File(file), save=False)
    try:
        with transaction.atomic():
            document.save(force_insert=True)
    except BaseException as error:
        document.file.storage.delete(str(document.file.name))
        known = Document.objects.filter(course=course, sha256=sha256).first()
        if isinstance(error, IntegrityError) and known is not None:
            return Added(known, created=False)
        raise
    return Added(document, created=True)


def clean_name(name: str) -> str:
    """The last part of a file name, without control characters, at most 300 characters."""
    last = re.split(r"[/\\]", storable(name))[-1]
    last = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C").strip()
    return last[-NAME_LENGTH:] or "file"


def title_from(name: str) -> str:
    return PurePath(name).stem.replace("_", " ").strip() or name


def _digest(file: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    file.seek(0)
    return digest.hexdigest(), size
