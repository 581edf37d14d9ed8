"""What the background worker does for courses."""

import uuid

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from courses import ingestion, passage_vectors
from courses.claims import stale_after
from courses.models import Document


@task
def ingest_document(document_id: str) -> None:
    """Read an uploaded file in the background worker."""
    ingestion.ingest(uuid.UUID(document_id))
    embed_soon()


@task(priority=-10)
def embed_passages() -> None:
    """Ask the embedding model about the passages that it has not seen. After all reading: what is read can be found."""
    from courses import vectors

    if vectors.fill():
        embed_passages.enqueue()


def embed_soon() -> None:
    """Have passages embedded that are not, if the site has a model for it and this is not already due."""
    waiting = DBTaskResult.objects.filter(status="READY", task_path=embed_passages.module_path)
    if settings.EMBEDDING_MODEL and passage_vectors.waiting().exists() and not waiting.exists():
        embed_passages.enqueue()


def enqueue(document: Document) -> None:
    """Have the document read. In the caller's transaction: a document that is committed is queued, and no other is."""
    ingest_document.enqueue(str(document.pk))


def requeue_stale() -> int:
    """Enqueue again what a worker that died has left: claimed without progress for too long, or waiting with no task
    that would take it. Returns how many documents.
    """
    before = timezone.now() - stale_after()
    stale = Document.objects.filter(
        Q(state=Document.State.PROCESSING, claimed_at__lt=before)
        | Q(state=Document.State.PENDING, updated_at__lt=before),
        # A part is read with its archive.
        Q(archive=None) | ~Q(archive__state__in=(Document.State.PENDING, Document.State.PROCESSING)),
    )
    if not stale.exists():
        return 0
    waiting = DBTaskResult.objects.filter(status="READY", task_path=ingest_document.module_path)
    queued = {arguments["args"][0] for arguments in waiting.values_list("args_kwargs", flat=True)}
    lost = [document for document in stale.only("pk") if str(document.pk) not in queued]
    for document in lost:
        enqueue(document)
    return len(lost)
