"""Material as files: the original, whole or in ranges, and pictures of pages. Only for those enrolled.

What was uploaded is never shown as part of the site: it comes as a download, with a type that nothing runs in.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from typing import Any, BinaryIO

from django.core.files.storage import Storage
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.utils.http import content_disposition_header, quote_etag
from django.views.decorators.http import require_safe

from core.database import in_database
from core.errors import NotFound, Unavailable
from courses import pages
from courses.models import Document
from courses.parsing.kinds import CONTENT_TYPES
from courses.services import documents

CHUNK = 256 * 1024
AT_ONCE = 1024 * 1024  # what is no longer is sent in one piece
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
SANDBOX = "sandbox; default-src 'none'"

AsyncView = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


def for_members(view: AsyncView) -> AsyncView:
    """Look the document up for the person who asks and hand it to `view`: 404 for whoever is not enrolled."""

    @wraps(view)
    async def guarded(
        request: HttpRequest, course_id: uuid.UUID, document_id: uuid.UUID, **more: int
    ) -> HttpResponseBase:
        try:
            document = await in_database(_find, request, course_id, document_id)
        except NotFound:
            raise Http404 from None
        if document is None:
            return redirect(f"{resolve_url('account_login')}?next={request.path}")
        return await view(request, document, **more)

    return guarded


def _find(request: HttpRequest, course_id: uuid.UUID, document_id: uuid.UUID) -> Document | None:
    """The document, or None for a visitor who has not signed in. Raises NotFound."""
    if not request.user.is_authenticated:
        return None
    document = documents.find(user=request.user, document_id=document_id)
    if document.course_id != course_id:
        raise NotFound
    return document


@require_safe
@for_members
async def original(request: HttpRequest, document: Document) -> HttpResponseBase:
    """The file as it was uploaded."""
    etag = quote_etag(document.sha256)
    if request.headers.get("If-None-Match") == etag:
        return _finished(HttpResponse(status=304), document, etag)
    wanted = _range(request, document.size, etag)
    if wanted is None:
        refused = HttpResponse(status=416, headers={"Content-Range": f"bytes */{document.size}"})
        return _finished(refused, document, etag)
    first, last = wanted
    length = last - first + 1
    try:
        file = await asyncio.to_thread(_opened, document.file.storage, str(document.file.name), first)
    except FileNotFoundError:
        raise Http404 from None
    response = await _body(file, length, head=request.method == "HEAD")
    response["Content-Length"] = str(length)
    if length < document.size:
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{last}/{document.size}"
    return _finished(response, document, etag)


async def _body(file: BinaryIO, length: int, *, head: bool) -> HttpResponseBase:
    if head:
        file.close()
        return HttpResponse()
    if length <= AT_ONCE:
        return HttpResponse(await asyncio.to_thread(_read_and_close, file, length))
    return StreamingHttpResponse(_pieces(file, length))


@require_safe
@for_members
async def page_image(request: HttpRequest, document: Document, number: int) -> HttpResponseBase:
    """A picture of one page of a PDF, counted from 1."""
    etag = quote_etag(f"{document.sha256[:32]}-{number}")
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponse(status=304)
    else:
        try:
            response = HttpResponse(await asyncio.to_thread(pages.picture, document, number), content_type="image/webp")
        except NotFound:
            raise Http404 from None
        except Unavailable as error:
            return HttpResponse(error.detail, status=503, content_type="text/plain", headers={"Retry-After": "5"})
    response["ETag"] = etag
    response["Cache-Control"] = "private, max-age=86400"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _finished(response: HttpResponseBase, document: Document, etag: str) -> HttpResponseBase:
    response["Content-Type"] = content_type(document)
    disposition = content_disposition_header(as_attachment=True, filename=document.file_name)
    response["Content-Disposition"] = disposition or "attachment"
    response["Content-Security-Policy"] = SANDBOX
    response["X-Content-Type-Options"] = "nosniff"
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    response["ETag"] = etag
    return response


def _range(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """The first and last byte that are asked for, all of them without a range that we know; None if there are none."""
    asked = RANGE.fullmatch(request.headers.get("Range", "").strip())
    if asked is None or not any(asked.groups()) or request.headers.get("If-Range", etag) != etag:
        return 0, size - 1
    begin, end = asked.groups()
    if not begin:  # the last so many bytes
        return (max(size - int(end), 0), size - 1) if int(end) else None
    first, last = int(begin), min(int(end or size - 1), size - 1)
    return (first, last) if first <= last else None


def _opened(storage: Storage, name: str, at: int) -> BinaryIO:
    file = storage.open(name, "rb")
    file.seek(at)
    return file  # type: ignore[return-value]


def _read_and_close(file: BinaryIO, length: int) -> bytes:
    with file:
        return file.read(length)


async def _pieces(file: BinaryIO, length: int) -> AsyncIterator[bytes]:
    try:
        while length > 0:
            piece = await asyncio.to_thread(file.read, min(CHUNK, length))
            if not piece:
                break
            length -= len(piece)
            yield piece
    finally:
        await asyncio.to_thread(file.close)


def content_type(document: Document) -> str:
    """A type that says what it is where that is harmless, and plain text for all that a browser might run."""
    return CONTENT_TYPES.get(document.kind, "text/plain; charset=utf-8")
