"""What Agno keeps outside sessions: memories, knowledge, evaluations, daily metrics, and versions of its schema.

Each is one `AgentDocument`. What the operations mean is left to Agno's own in-memory store: it is given the documents
that concern it, and what it then holds differently is written back, all in one transaction.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from agno.db.in_memory import InMemoryDb
from django.db import connection, transaction

from chats.integrations.agno.projection import FORMAT, as_json
from chats.integrations.bridge import whose
from chats.models import AgentDocument
from chats.services import owners

T = TypeVar("T")

SHELVES = {
    "memory": ("_memories", "memory_id"),
    "knowledge": ("_knowledge", "id"),
    "evaluation": ("_eval_runs", "run_id"),
    "metrics": ("_metrics", "id"),
}
LOCK = 0x41676E6F  # "Agno": one writer of documents at a time, so that none works on what another is changing


@transaction.atomic
def perform(kind: str, operation: Callable[[InMemoryDb], T], *, owner: str | None = None, reads: bool = False) -> T:
    """Let `operation` work on a store that holds the documents of `kind` (of `owner`). Returns what it returns."""
    if not reads and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    found = AgentDocument.objects.filter(framework=FORMAT, kind=kind)
    documents = {document.key: document for document in (found if owner is None else found.filter(owner=owner))}
    attribute, key = SHELVES[kind]
    shelf = InMemoryDb()  # type: ignore[no-untyped-call]
    setattr(shelf, attribute, [json.loads(document.data) for document in documents.values()])
    result = operation(shelf)
    if not reads:
        _write_back(kind, documents, {str(held[key]): held for held in getattr(shelf, attribute)})
    return result


def _write_back(kind: str, documents: dict[str, AgentDocument], held: dict[str, dict[str, Any]]) -> None:
    gone = [document.pk for key, document in documents.items() if key not in held]
    AgentDocument.objects.filter(pk__in=gone).delete()
    for key, value in held.items():
        text = as_json(value)
        document = documents.get(key)
        if document is not None and document.data == text:
            continue
        owner = str(value.get("user_id") or "")
        AgentDocument.objects.update_or_create(
            framework=FORMAT,
            kind=kind,
            key=key,
            defaults={"owner": owner, "user": account_of(owner), "data": text},
        )


def account_of(owner: str) -> Any:
    """The account whose document this is: when it goes, so does what Agno remembers of the person."""
    named = owners.owner_of(whose(owner)) if owner else None
    return named.user if named is not None and not named.external_user_id else None


def schema_version(table: str) -> str | None:
    found = AgentDocument.objects.filter(framework=FORMAT, kind="schema", key=table).first()
    return found.data if found else None


def set_schema_version(table: str, version: str) -> None:
    AgentDocument.objects.update_or_create(framework=FORMAT, kind="schema", key=table, defaults={"data": version})
