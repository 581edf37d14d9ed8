"""Where is searched: the documents of a course, or some of them, that are ready and that the user may see."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet

from core.statements import Prepared
from courses.fulltext import Scope
from courses.models import Document
from courses.querysets import Person

SHELF = (
    *("pk", "title", "language", "course__language", "lecture__number"),
    *("passage_count", "embedded_with", "updated_at"),
)


def _ready(user: Person, course_id: uuid.UUID) -> "QuerySet[Document]":
    return Document.objects.for_user(user).filter(course_id=course_id, state=Document.State.READY).order_by()


# With every question.
WHOLE = Prepared(lambda user_id, course_id: _ready(User(pk=user_id), course_id).values_list(*SHELF), int, uuid.UUID)


@dataclass(slots=True)
class Shelf:
    """The documents to look in: ready, and visible to the user."""

    course_id: uuid.UUID
    documents: Mapping[uuid.UUID, Mapping[str, Any]]
    narrowed: bool

    @classmethod
    def of(cls, user: Person, course: Any, document: Any, lecture: Any) -> "Shelf":
        course_id = getattr(course, "pk", course)
        if document is None and lecture is None:
            whole = (dict(zip(SHELF, row, strict=True)) for row in WHOLE.rows(user.pk, course_id))
            return cls(course_id, {row["pk"]: row for row in whole}, narrowed=False)
        rows = _ready(user, course_id)
        if document is not None:
            rows = rows.filter(pk=getattr(document, "pk", document))
        if lecture is not None:
            rows = rows.filter(lecture_id=getattr(lecture, "pk", lecture))
        found = {row["pk"]: row for row in rows.order_by().values(*SHELF)}
        return cls(course_id, found, narrowed=True)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted({row["language"] or row["course__language"] for row in self.documents.values()}))

    @property
    def passage_count(self) -> int:
        return sum(row["passage_count"] for row in self.documents.values())

    @property
    def embedded(self) -> dict[uuid.UUID, datetime]:
        """The documents that can be found by meaning, with when they last changed."""
        model = settings.EMBEDDING_MODEL
        return {pk: row["updated_at"] for pk, row in self.documents.items() if model and row["embedded_with"] == model}

    @property
    def scope(self) -> Scope:
        version = hash(frozenset((pk, row["updated_at"]) for pk, row in self.documents.items()))
        return Scope(self.course_id, tuple(self.documents) if self.narrowed else None, self.languages, version)
