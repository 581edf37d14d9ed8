"""Which worker reads which document, so that no two write one and none is forgotten."""

import os
import socket
import uuid
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from core.text import storable
from courses.models import Document

log = structlog.get_logger(__name__)

PROGRESS_EVERY = timedelta(seconds=0.5)


def stale_after() -> timedelta:
    """How long a worker may show no progress before its document is another's."""
    return timedelta(seconds=settings.DOCUMENT_STALE_SECONDS)


class ClaimLost(Exception):
    """Another worker has taken the document over, or it was removed."""


class Claim:
    """A worker's right to write a document, kept by showing progress. Every write asks whether it still holds."""

    def __init__(self, document: Document, holder: str) -> None:
        self.document = document
        self.holder = holder
        self._said_at = timezone.now()
        self.above: Claim | None = None  # on the archive that the document is part of: it lives as long as this

    @classmethod
    def take(cls, document_id: uuid.UUID) -> "Claim | None":
        """The claim on a document that waits, or whose reader has shown no progress for a minute; None otherwise."""
        holder = f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        now = timezone.now()
        free = Q(state=Document.State.PENDING) | Q(state=Document.State.PROCESSING, claimed_at__lt=now - stale_after())
        taken = Document.objects.filter(free, pk=document_id).update(
            state=Document.State.PROCESSING, claimed_by=holder, claimed_at=now, error="", pages_done=0
        )
        return cls(Document.objects.select_related("course").get(pk=document_id), holder) if taken else None

    def mine(self) -> Any:
        return Document.objects.filter(pk=self.document.pk, claimed_by=self.holder, state=Document.State.PROCESSING)

    def progress(self, done: int, pages: int) -> None:
        """Say how far it got, at most twice a second. Raises ClaimLost."""
        now = timezone.now()
        if done < pages and now - self._said_at < PROGRESS_EVERY:
            return
        self._said_at = now
        if not self.mine().update(pages_done=done, page_count=pages, claimed_at=now):
            raise ClaimLost
        if self.above is not None and not self.above.mine().update(claimed_at=now):
            raise ClaimLost

    def finish(self, **fields: Any) -> None:
        """Let go of it in the end state that `fields` say. Raises ClaimLost."""
        if not self.mine().update(claimed_by="", claimed_at=None, updated_at=timezone.now(), **fields):
            raise ClaimLost

    def fail(self, error: str) -> None:
        log.warning("document failed", document_id=str(self.document.pk), kind=self.document.kind)
        self.mine().update(
            state=Document.State.FAILED,
            error=storable(error),
            claimed_by="",
            claimed_at=None,
            updated_at=timezone.now(),
        )
