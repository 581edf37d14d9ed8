"""Pictures of a PDF's pages: drawn in a child process when first asked for, kept beside the file."""

import subprocess
import sys
import threading
from pathlib import Path

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from core.errors import NotFound, Unavailable
from courses.ingestion import local_path
from courses.models import Document
from courses.parsing.blocks import ParseError
from courses.sandbox import ROOT, bare_environment

log = structlog.get_logger(__name__)

WIDTH = 1100  # pixels
SECONDS = 25.0
AT_ONCE = 2  # children of this process; who comes later waits its turn
_turns = threading.BoundedSemaphore(AT_ONCE)


def picture(document: Document, number: int) -> bytes:
    """Page `number` of a PDF, counted from 1, as WebP. May take a second when nobody has seen it before.

    Raises NotFound for a page that is not there or can't be drawn, Unavailable when too many are asked for at once.
    """
    if document.kind != "pdf" or not 1 <= number <= (document.page_count or 0):
        raise NotFound
    name = _name(document, number)
    if default_storage.exists(name):
        with default_storage.open(name) as kept:
            return bytes(kept.read())
    if not _turns.acquire(timeout=SECONDS):
        raise Unavailable
    try:
        image = _draw(document, number)
    finally:
        _turns.release()
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(image))
    return image


def forget(folder: str) -> None:
    """Remove the pictures in a document's folder."""
    try:
        _, names = default_storage.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        default_storage.delete(f"{folder}/{name}")
    default_storage.delete(folder)


def folder_of(document: Document) -> str:
    """Where a document's pictures are kept."""
    # The content's hash is part of it: what was drawn from one file never stands for another.
    return f"pages/{document.pk}-{document.sha256[:16]}"


def _name(document: Document, number: int) -> str:
    return f"{folder_of(document)}/{number}.webp"


def _draw(document: Document, number: int) -> bytes:
    try:
        with local_path(document) as path:
            return _drawn(path, number)
    except ParseError:
        raise NotFound("The file is no longer in the site's storage.") from None


def _drawn(path: Path, number: int) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "courses.parsing.page", str(path), str(number), str(WIDTH)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=bare_environment(),
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        log.warning("page takes too long to draw", page=number)
        raise NotFound("This page can't be shown.") from None
    if done.returncode or not done.stdout:
        raise NotFound("This page can't be shown.")
    return done.stdout
