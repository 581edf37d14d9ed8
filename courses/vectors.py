"""Giving passages their vectors, in the background worker: each text is sent to the model once."""

import time
import uuid
from collections.abc import Mapping, Sequence

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from courses import embeddings, passage_vectors
from courses.embeddings import EmbeddingError
from courses.models import Document, Passage, PassageVector

log = structlog.get_logger(__name__)

AT_A_TIME_SECONDS = 30.0
NOTE = "It is found by its words only for now: the embedding server {problem}. This is tried again every minute."


def fill(*, seconds: float = AT_A_TIME_SECONDS) -> bool:
    """Give vectors to passages without, for about so many seconds; returns whether there is more to do at once.

    When the endpoint fails, the documents that wait are told why and keep waiting.
    """
    deadline = time.monotonic() + seconds
    # In no order: two workers seldom do the same.
    for document in list(passage_vectors.waiting().only("pk", "updated_at").order_by("?")):
        try:
            if not _fill(document, deadline):
                return True
        except EmbeddingError as error:
            log.warning("passages not embedded", document_id=str(document.pk), error=str(error))
            failed = passage_vectors.waiting()
            if error.text_refused:
                failed = failed.filter(pk=document.pk)
            failed.update(embedding_note=NOTE.format(problem=error))
            if not error.text_refused:
                return False
    return False


def _fill(document: Document, deadline: float) -> bool:
    """Give the document's passages their vectors. Returns False when time ran out. Raises EmbeddingError."""
    model = settings.EMBEDDING_MODEL
    missing = list(
        Passage.objects.filter(document=document)
        .exclude(vector__model=model)
        .order_by("position")
        .values_list("pk", flat=True)
    )
    for begin in range(0, len(missing), embeddings.BATCH):
        if time.monotonic() > deadline:
            return False
        rows = Passage.objects.filter(pk__in=missing[begin : begin + embeddings.BATCH])
        texts = {
            passage_id: passage_vectors.text_of(heading, text)
            for passage_id, heading, text in rows.values_list("pk", "heading", "text")
        }
        _give(document, _vectors(model, texts))
    # Not if it was read again meanwhile: it then has passages that were not among these.
    unchanged = Document.objects.filter(pk=document.pk, state=Document.State.READY, updated_at=document.updated_at)
    unchanged.update(embedded_with=model, embedding_note="", updated_at=timezone.now())
    return True


def _vectors(model: str, texts: Mapping[uuid.UUID, str]) -> list[PassageVector]:
    """Vectors for the passages with these texts: known ones of the same text, the others by one request."""
    hashes = {passage_id: passage_vectors.hash_of(text) for passage_id, text in texts.items()}
    known = dict(
        PassageVector.objects.filter(model=model, text_hash__in=set(hashes.values())).values_list("text_hash", "values")
    )
    new = {hashes[passage_id]: text for passage_id, text in texts.items() if hashes[passage_id] not in known}
    if new:
        found = embeddings.embed(list(new.values()))
        known |= {text_hash: vector.tobytes() for text_hash, vector in zip(new, found, strict=True)}
    return [
        PassageVector(passage_id=passage_id, model=model, text_hash=text_hash, values=known[text_hash])
        for passage_id, text_hash in hashes.items()
    ]


def _give(document: Document, vectors: Sequence[PassageVector]) -> None:
    with transaction.atomic():
        # Locks the document: it can't be read again or removed while its passages are looked up and written to.
        list(Document.objects.select_for_update().filter(pk=document.pk).order_by().values_list("pk"))
        there = set(Passage.objects.filter(pk__in=[one.pk for one in vectors]).values_list("pk", flat=True))
        passage_vectors.write([one for one in vectors if one.pk in there])
