"""What Agno learned of people and things: each an `AgentDocument` that goes with the account of whom it is about."""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from agno.db.base import BaseDb
from agno.db.utils import learning_search_patterns, validate_pagination
from django.db import transaction

from chats.integrations.agno.documents import account_of
from chats.integrations.agno.projection import FORMAT, as_json
from chats.integrations.agno.rows import Row
from chats.integrations.bridge import run
from chats.models import AgentDocument

KIND = "learning"
FILTERS = (
    "learning_type",
    "agent_id",
    "team_id",
    "workflow_id",
    "session_id",
    "namespace",
    "entity_id",
    "entity_type",
)


class LearningMethods(BaseDb):
    """Learnings, newest first where they are listed. What they are about is named, as Agno names it."""

    def get_learning(self, learning_type: str, **filters: str | None) -> Row | None:  # type: ignore[override]
        found = run(_found, {"learning_type": learning_type, **filters})
        return {"content": found[0]["content"]} if found else None

    def get_learning_by_id(self, id: str) -> Row | None:  # noqa: A002
        return run(_by_id, id)

    def get_learnings(self, limit: int | None = None, **filters: str | None) -> list[Row]:  # type: ignore[override]
        return run(_found, filters)[:limit]

    def search_learnings(self, query: str, limit: int | None = None, **filters: str | None) -> list[Row]:  # type: ignore[override]
        """The learnings whose content holds `query`, in any case, with spaces or underscores between words."""
        patterns = [_expression(pattern) for pattern in learning_search_patterns(query)]
        texts = ((one, as_json(one["content"])) for one in run(_found, filters))
        return [one for one, text in texts if any(pattern.search(text) for pattern in patterns)][:limit]

    def list_learnings(  # type: ignore[override]
        self,
        *,
        user_id: str | None = None,
        include_global: bool = False,
        limit: int = 100,
        page: int = 1,
        sort_by: str | None = None,
        sort_order: str | None = None,
        **filters: str | None,
    ) -> tuple[list[Row], int]:
        """A page of learnings and how many there are in all; `include_global` adds those about nobody."""
        found = run(_found, {**filters, "user_id": user_id}, include_global=include_global)
        _sort(found, sort_by or "updated_at", sort_order)
        return found[(page - 1) * limit : page * limit], len(found)

    def get_learnings_user_stats(
        self,
        learning_type: str | None = None,
        limit: int | None = None,
        page: int | None = None,
        user_id: str | None = None,
        sort_by: str | None = None,
        sort_order: str | None = None,
    ) -> tuple[list[Row], int]:
        """When something was last learned of each person."""
        validate_pagination(limit, page)
        latest: dict[str, int] = {}
        for one in run(_found, {"learning_type": learning_type, "user_id": user_id}):
            if one["user_id"] is not None:
                latest[one["user_id"]] = max(one["updated_at"], latest.get(one["user_id"], 0))
        stats: list[Row] = [{"user_id": user, "last_learning_updated_at": moment} for user, moment in latest.items()]
        known = sort_by if sort_by in ("user_id", "last_learning_updated_at") else "last_learning_updated_at"
        _sort(stats, known, sort_order)
        start = ((page or 1) - 1) * limit if limit else 0
        return stats[start : start + limit if limit else None], len(stats)

    def upsert_learning(  # type: ignore[override]
        self,
        id: str,  # noqa: A002
        learning_type: str,
        content: Row,
        metadata: Row | None = None,
        **about: str | None,
    ) -> None:
        """Keep a learning; of one that is kept already the content and the metadata change."""
        run(_upsert, id, {"learning_type": learning_type, **about}, content, metadata)

    def update_learning(self, id: str, content: Row, metadata: Row | None = None) -> bool:  # noqa: A002
        return run(_update, id, content, metadata)

    def delete_learning(self, id: str) -> bool:  # noqa: A002
        return run(_delete, id) > 0

    def delete_user_learnings(self, user_id: str, learning_type: str | None = None) -> int:
        return run(_delete_of, user_id, learning_type)


def _documents() -> Any:
    return AgentDocument.objects.filter(framework=FORMAT, kind=KIND)


def _by_id(key: str) -> Row | None:
    document = _documents().filter(key=key).first()
    return None if document is None else json.loads(document.data)


def _found(filters: Mapping[str, str | None], *, include_global: bool = False) -> list[Row]:
    unknown = set(filters) - {*FILTERS, "user_id"}
    if unknown:
        raise TypeError(f"Learnings have no {sorted(unknown)}.")
    user_id = filters.get("user_id")
    documents = _documents()
    if user_id is not None:
        documents = documents.filter(owner__in=[user_id, *([""] if include_global else [])])
    rows = [json.loads(data) for data in documents.values_list("data", flat=True)]
    wanted = {name: value for name, value in filters.items() if name != "user_id" and value is not None}
    kept = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
    _sort(kept, "updated_at", None)
    return kept


@transaction.atomic
def _upsert(key: str, about: Mapping[str, str | None], content: Row, metadata: Row | None) -> None:
    if _update(key, content, metadata):
        return
    unknown = set(about) - {*FILTERS, "user_id"}
    if unknown:
        raise TypeError(f"Learnings have no {sorted(unknown)}.")
    now = int(time.time())
    row: Row = dict.fromkeys((*FILTERS, "user_id")) | dict(about)
    row |= {"learning_id": key, "content": content, "metadata": metadata, "created_at": now, "updated_at": now}
    owner = about.get("user_id") or ""
    values = {"owner": owner, "user": account_of(owner), "data": as_json(row)}
    AgentDocument.objects.update_or_create(framework=FORMAT, kind=KIND, key=key, defaults=values)


@transaction.atomic
def _update(key: str, content: Row, metadata: Row | None) -> bool:
    document = _documents().select_for_update().filter(key=key).first()
    if document is None:
        return False
    changes = {"content": content, "metadata": metadata, "updated_at": int(time.time())}
    document.data = as_json({**json.loads(document.data), **changes})
    document.save(update_fields=["data", "updated_at"])
    return True


def _delete(*keys: str) -> int:
    deleted: int = _documents().filter(key__in=keys).delete()[0]
    return deleted


def _delete_of(user_id: str, learning_type: str | None) -> int:
    keys = [row["learning_id"] for row in _found({"user_id": user_id, "learning_type": learning_type})]
    return _delete(*keys)


def _sort(rows: list[Row], name: str, order: str | None) -> None:
    key: Callable[[Row], Any] = lambda row: (row.get(name) is not None, row.get(name))  # noqa: E731
    rows.sort(key=key, reverse=order != "asc")


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern of SQL's LIKE, with a backslash before what is meant literally, as a regular expression."""
    pieces = re.findall(r"\\.|.", pattern.strip("%"), re.DOTALL)
    wild = {"_": ".", "%": ".*"}
    return re.compile("".join(wild.get(piece) or re.escape(piece[-1]) for piece in pieces), re.IGNORECASE | re.DOTALL)
