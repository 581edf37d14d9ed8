"""The rows that hold passages' vectors, and which texts they are of. Knows no model and no NumPy."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings
from django.db.models import QuerySet

from courses.models import Document, Passage, PassageVector

BATCH = 500


def text_of(heading: str, text: str) -> str:
    """What of a passage is embedded."""
    return f"{heading}\n\n{text}" if heading else text


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def waiting() -> "QuerySet[Document]":
    """The documents that can be found, but not by meaning yet. None when the site has no embedding model."""
    model = settings.EMBEDDING_MODEL
    rows = Document.objects.filter(state=Document.State.READY).exclude(kind="archive")
    return rows.exclude(embedded_with=model) if model else rows.none()


def write(vectors: Sequence[PassageVector]) -> None:
    PassageVector.objects.bulk_create(
        vectors, update_conflicts=True, unique_fields=["passage"], update_fields=["model", "text_hash", "values"]
    )


def kept_from(passages: Sequence[uuid.UUID]) -> dict[str, PassageVector]:
    """The vectors of passages that are about to go, by text: what moved to another page needs no new one."""
    rows = PassageVector.objects.filter(passage__in=passages)
    return {vector.text_hash: vector for vector in rows}


def hand_on(vectors: Mapping[str, PassageVector], passages: Iterable[Passage]) -> None:
    """Give new passages the kept vectors of the same text."""
    if not vectors:
        return
    given = []
    for passage in passages:
        kept = vectors.get(hash_of(text_of(passage.heading, passage.text)))
        if kept is not None:
            given.append(PassageVector(passage=passage, model=kept.model, text_hash=kept.text_hash, values=kept.values))
    for begin in range(0, len(given), BATCH):
        write(given[begin : begin + BATCH])
