"""Pages of Agno's sessions: those of Agno's own and, for a user, those that they began elsewhere."""

import json
from collections import defaultdict
from typing import Any

from agno.db.base import SessionType
from agno.db.utils import validate_pagination
from django.db.models import F, FilteredRelation, Q

from chats.integrations.agno import branches
from chats.integrations.agno.projection import COMPONENTS, FORMAT
from chats.integrations.agno.rows import Row, moment_of, session_row
from chats.integrations.bridge import whose
from chats.models import AgentState, ChatSession
from chats.services import owners
from core.text import storable

SORTABLE = {
    "created_at": "created_at",
    "updated_at": "last_activity_at",
    "session_id": "external_id",
    "session_type": "kept__kind",
    "agent_id": "kept__agent_id",
    "team_id": "kept__team_id",
    "workflow_id": "kept__workflow_id",
    "user_id": "kept__scope",
}


def get_sessions(
    *,
    session_type: SessionType | None = None,
    user_id: str | None = None,
    component_id: str | None = None,
    session_name: str | None = None,
    start: int | None = None,
    end: int | None = None,
    limit: int | None = None,
    page: int | None = None,
    sort_by: str | None = None,
    sort_order: str | None = None,
    include_runs: bool = True,
) -> tuple[list[Row], int]:
    """A page of session rows and how many there are in all, in a constant number of queries."""
    validate_pagination(limit, page)
    kind = None if session_type is None else SessionType(session_type).value
    found = _filtered(_listed(user_id), kind, component_id, session_name)
    if start is not None:
        found = found.filter(created_at__gte=moment_of(start))
    if end is not None:
        found = found.filter(created_at__lt=moment_of(end + 1))
    total = found.count()
    order = F(SORTABLE.get(sort_by or "", "id"))
    descending = sort_by in SORTABLE and sort_order != "asc"
    found = found.order_by(order.desc(nulls_last=True) if descending else order.asc(nulls_first=True), "id")
    if limit is not None:
        offset = ((page or 1) - 1) * limit
        found = found[offset : offset + limit]
    return _rows(list(found.select_related("user")), include_runs=include_runs), total


def _rows(listed: list[ChatSession], *, include_runs: bool) -> list[Row]:
    kept = AgentState.objects.filter(session__in=[session.pk for session in listed], framework=FORMAT)
    states = {state.session_id: state for state in kept}
    rows = [session_row(session, states.get(session.pk)) for session in listed]
    for row in rows:
        row["runs"] = None
    if include_runs:
        texts: defaultdict[Any, list[str]] = branches.runs_of_all(listed, states)
        for session, row in zip(listed, rows, strict=True):
            row["runs"] = [json.loads(text) for text in texts[session.pk]]
    return rows


def _listed(user_id: str | None) -> Any:
    kept = FilteredRelation("agent_states", condition=Q(agent_states__framework=FORMAT))
    if user_id is None:
        return ChatSession.objects.present().alias(kept=kept).filter(kept__isnull=False)
    owner = owners.owner_of(whose(user_id))
    theirs = ChatSession.objects.for_user(owner.user).present().filter(external_user_id=owner.external_user_id)
    return theirs.alias(kept=kept)


def _filtered(found: Any, kind: str | None, component_id: str | None, name: str | None) -> Any:
    if kind is not None:
        wanted = Q(kept__kind=kind)
        found = found.filter(wanted | Q(kept__isnull=True) if kind == "agent" else wanted)
    if component_id is not None:
        names = COMPONENTS.values() if kind is None else [COMPONENTS[kind]]
        wanted = Q()
        for component in names:
            wanted |= Q(**{f"kept__{component}": component_id})
        found = found.filter(wanted)
    if name is not None:
        name = storable(name)
        found = found.filter(Q(kept__name__icontains=name) | Q(kept__isnull=True, title__icontains=name))
    return found
