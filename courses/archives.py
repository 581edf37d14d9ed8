"""A ZIP becomes the documents in it."""

import tempfile
import uuid
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.utils import timezone

from courses.claims import Claim
from courses.models import Document
from courses.parsing.archive import entries_of, title_of
from courses.parsing.blocks import ParseError
from courses.storing import Added, store_file

CHUNK = 1 << 20
NAMED = 5
IN_MEMORY = 8 * CHUNK


def unpack(claim: Claim, path: Path, ingest: Callable[..., None]) -> None:
    """Make a document of each file in the claimed archive and read it. Raises ParseError if none can be, ClaimLost."""
    entries = entries_of(path)
    if not entries:
        raise ParseError("The archive is empty.")
    parts: list[uuid.UUID] = []
    refused: list[str] = []
    with zipfile.ZipFile(path) as archive:
        for number, entry in enumerate(entries, start=1):
            try:
                part = _part(claim.document, archive, entry)
            except ParseError as error:
                refused.append(f"{title_of(entry.filename)}: {error}")
            else:
                parts.append(part.document.pk)
                _read_part(part, claim, ingest)
            claim.progress(number, len(entries))
    _finish(claim, parts, refused, len(entries))


def _part(document: Document, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Added:
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        _extract(archive, entry, cast("BinaryIO", file))
        part = store_file(
            course=document.course,
            file=cast("BinaryIO", file),
            name=entry.filename,
            title=title_of(entry.filename),
            lecture=document.lecture,
            uploaded_by=document.uploaded_by,
            archive=document,
        )
    if part.document.kind == "archive":
        if part.created:
            part.document.delete()
        raise ParseError("An archive in an archive is not opened.")
    return part


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: BinaryIO) -> None:
    """Copy one file out, counting what really comes: the size that an archive states may be a lie."""
    most = settings.UPLOAD_MAX_MB * 1_000_000
    size = 0
    try:
        with archive.open(entry) as source:
            while chunk := source.read(CHUNK):
                size += len(chunk)
                if size > most:
                    raise ParseError(f"It is larger than {settings.UPLOAD_MAX_MB} MB.")
                target.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError):
        raise ParseError("It is damaged.") from None


def _read_part(part: Added, claim: Claim, ingest: Callable[..., None]) -> None:
    if not part.created:
        # Seen before: as part of this archive it is read anew, as a document of its own it is left alone.
        Document.objects.filter(
            pk=part.document.pk, archive=claim.document, state__in=(Document.State.READY, Document.State.FAILED)
        ).update(state=Document.State.PENDING, updated_at=timezone.now())
    ingest(part.document.pk, above=claim)


def _finish(claim: Claim, parts: list[uuid.UUID], refused: list[str], count: int) -> None:
    rows = Document.objects.filter(pk__in=parts).values_list("title", "state", "error", "passage_count")
    failed = [f"{title}: {error}" for title, state, error, _ in rows if state == Document.State.FAILED]
    problems = sorted([*refused, *failed])
    readable = [passages for _, state, _, passages in rows if state != Document.State.FAILED]
    more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
    told = (
        f"{len(problems)} of {count} files could not be read. {'; '.join(problems[:NAMED])}{more}" if problems else ""
    )
    if not readable:
        raise ParseError(told)
    claim.finish(
        state=Document.State.READY, error=told, page_count=count, pages_done=count, passage_count=sum(readable)
    )
