"""Which passages mean what a question means: an exact scan over vectors that each process keeps in memory.

They are kept by document, so what is looked at is exactly what the caller was allowed to name, and a document that was
read again is loaded anew while the others stay.
"""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.conf import settings

from courses.embeddings import Vector, Vectors
from courses.models import PassageVector

MOST_BYTES = 400_000_000  # kept by a process beyond what the search in hand needs
LEAST_ALIKE = 0.15  # so little no model gives to a passage about the question
LOADED_AT_A_TIME = 2_000

Stamp = tuple[str, datetime]


@dataclass(frozen=True, slots=True)
class _Held:
    stamp: Stamp
    passages: list[uuid.UUID]
    vectors: Vectors


_held: OrderedDict[uuid.UUID, _Held] = OrderedDict()
_lock = threading.Lock()


def nearest(documents: Mapping[uuid.UUID, datetime], question: Vector, most: int) -> list[tuple[uuid.UUID, float]]:
    """The passages of `documents` that are most alike to the question, with how much (the cosine), best first.

    `documents` says of each when it last changed. At most one query.
    """
    fitting = [held for held in _loaded(documents) if held.vectors.shape[1:] == question.shape]
    if not fitting:
        return []
    alike = np.concatenate([held.vectors @ question for held in fitting])
    passages = [passage_id for held in fitting for passage_id in held.passages]
    best = np.argpartition(-alike, min(most, len(alike)) - 1)[:most]
    order = best[np.argsort(-alike[best], kind="stable")]
    return [(passages[place], float(alike[place])) for place in order if alike[place] >= LEAST_ALIKE]


def _loaded(documents: Mapping[uuid.UUID, datetime]) -> list[_Held]:
    model = settings.EMBEDDING_MODEL
    stamps: dict[uuid.UUID, Stamp] = {document_id: (model, changed) for document_id, changed in documents.items()}
    with _lock:
        missing = {pk: stamp for pk, stamp in stamps.items() if pk not in _held or _held[pk].stamp != stamp}
        if missing:
            _held.update(_read(model, missing))
        found = [_held[document_id] for document_id in stamps]
        for document_id in stamps:
            _held.move_to_end(document_id)
        _forget(keep=len(stamps))
    return found


def _read(model: str, stamps: Mapping[uuid.UUID, Stamp]) -> dict[uuid.UUID, _Held]:
    passages: dict[uuid.UUID, list[uuid.UUID]] = {document_id: [] for document_id in stamps}
    values: dict[uuid.UUID, list[Any]] = {document_id: [] for document_id in stamps}
    rows = PassageVector.objects.filter(model=model, passage__document__in=list(stamps))
    columns = rows.order_by("passage__document", "passage__position").values_list(
        "passage__document", "passage", "values"
    )
    for document_id, passage_id, vector in columns.iterator(LOADED_AT_A_TIME):
        passages[document_id].append(passage_id)
        values[document_id].append(np.frombuffer(vector, dtype="<f4"))
    return {
        document_id: _hold(stamps[document_id], passages[document_id], values[document_id]) for document_id in stamps
    }


def _hold(stamp: Stamp, passages: list[uuid.UUID], rows: list[Any]) -> _Held:
    if len({len(row) for row in rows}) != 1:  # none, or the model's vectors grew or shrank meanwhile
        return _Held(stamp, [], np.empty((0, 0), dtype=np.float32))
    return _Held(stamp, passages, np.stack(rows))


def _forget(*, keep: int) -> None:
    """Drop the documents that were looked at longest ago, down to the limit, but none of the last `keep`."""
    size = sum(held.vectors.nbytes for held in _held.values())
    while size > MOST_BYTES and len(_held) > keep:
        _, dropped = _held.popitem(last=False)
        size -= dropped.vectors.nbytes
