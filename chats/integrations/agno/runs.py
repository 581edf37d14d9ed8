"""Agno's runs. Each is an `AgentRun`, kept whole, whose messages also stand in the conversation for everybody.

Keeping one costs the same however many there are. Turns that others made since the last run take their place among the
runs when the next one is kept.
"""

import json
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from agno.db.utils import build_single_run_row, canonical_run_status, validate_pagination
from django.db import transaction
from django.db.models import Q

from chats.integrations.agno import branches, sessions
from chats.integrations.agno.projection import COMPONENTS, FORMAT, as_json
from chats.integrations.agno.rows import Row, run_row
from chats.models import AgentRun
from chats.services import agent_states, owners
from chats.services.agent_states import Found
from core import statements

PLACE = """
SELECT r.id, r.anchor, r.span,
    (SELECT MAX(run_index) FROM chats_agentrun WHERE session_id = %s)
FROM (SELECT 1) one LEFT JOIN chats_agentrun r ON r.session_id = %s AND r.run_id = %s
"""
SORTABLE = {"run_id", "run_index", "created_at", "updated_at", "status", "agent_id", "team_id", "workflow_id"}


@transaction.atomic
def upsert_run(run: Any, session_id: str, user_id: str | None, run_index: int | None) -> None:
    """Keep one run and show its messages. Raises ValueError when the run has no id or its session isn't there."""
    row = build_single_run_row(run, session_id, user_id, run_index)
    found = sessions.lock(session_id, user_id)
    if found is None and user_id is not None:
        # A run of a user in a session that nobody owns.
        found = sessions.lock(session_id, None)
        found = found if found is not None and found.state is not None and found.state.scope is None else None
    if found is None:
        raise ValueError(f"There is no session {session_id!r} to keep the run in. Keep the session first.")
    keep_run(found, row)


def keep_run(found: Found, row: Row) -> None:
    """Keep a run's row in its (locked) session."""
    row = _canonical(row)
    session, state = found.session, found.state
    known = None if found.head is None else found.head.ordinal
    branches.catch_up(session, state)
    run, is_new, place = _place(session.pk, row)
    values = {
        "status": str(row["status"] or ""),
        "parent_run_id": row["parent_run_id"] or "",
        "user_id": row["user_id"] or "",
        "data": as_json(row["run_data"]),
        "updated_at": row["updated_at"],
    }
    for name, value in values.items():
        setattr(run, name, value)
    branches.project(session, run, json.loads(run.data), ordinal=known)
    if is_new:
        run.session_id, run.run_id, run.kind = session.pk, row["run_id"], row["run_type"]
        run.created_at = row["created_at"]
        run.run_index = place
        for name in COMPONENTS.values():
            setattr(run, name, row[name] or "")
    with statements.together():
        if is_new:
            statements.insert([run])
        else:
            statements.put(AgentRun, "id = %s", [run.pk], **values, anchor=run.anchor, span=run.span)
        branches.stand(session, state)


@transaction.atomic
def delete_runs(run_ids: Sequence[str]) -> int:
    """Erase runs with their messages. Returns how many there were."""
    deleted = 0
    for run in AgentRun.objects.filter(run_id__in=run_ids):
        session = owners.lock_by_id(run.session_id)
        if session is not None:
            state = agent_states.look(session, FORMAT).state
            branches.withdraw(session, run)
            run.delete()
            branches.stand(session, state)
            deleted += 1
    return deleted


@transaction.atomic
def cancel_pending_run(run_id: str, session_id: str, reason: str, user_id: str | None, expected_status: str) -> bool:
    """Cancel the run if it is still in the expected status. Returns whether it was."""
    if expected_status not in ("PENDING", "RUNNING"):
        raise ValueError("Only pending or running runs can be cancelled.")
    found = sessions.find(session_id, user_id)
    if found is None:
        return False
    runs = AgentRun.objects.select_for_update().filter(session=found.session, run_id=run_id, status=expected_status)
    run = runs.filter(Q(user_id=user_id or "") | Q(user_id="")).first()
    if run is None:
        return False
    data = json.loads(run.data)
    data |= {"status": "CANCELLED", "content": data.get("content") or reason}
    run.data, run.status, run.updated_at = as_json(data), "CANCELLED", int(time.time())
    run.save(update_fields=["data", "status", "updated_at"])
    return True


def get_run(run_id: str) -> Row | None:
    run = AgentRun.objects.filter(run_id=run_id).select_related("session").order_by("id").first()
    return None if run is None else run_row(run)


def get_runs(
    filters: dict[str, str], *, limit: int | None, page: int | None, sort_by: str | None, sort_order: str | None
) -> tuple[list[Row], int]:
    """A page of run rows and how many there are in all."""
    validate_pagination(limit, page)
    found = AgentRun.objects.filter(session__deleted_at__isnull=True)
    session_id = filters.pop("session_id", None)
    if session_id is not None:
        found = found.filter(owners.bears(session_id, "session__"))
    found = found.filter(**filters)
    total = found.count()
    if sort_by in SORTABLE:
        found = found.order_by(sort_by if sort_order == "asc" else f"-{sort_by}")
    else:
        found = found.order_by("run_index", "created_at", "id")
    if limit is not None:
        offset = ((page or 1) - 1) * limit
        found = found[offset : offset + limit]
    return [run_row(run) for run in found.select_related("session")], total


def _canonical(row: Row) -> Row:
    """The row with its status in Agno's own spelling, by which history and filters go: a dict may have another."""
    status = canonical_run_status(row["status"])
    return row if status is None else {**row, "status": status, "run_data": {**row["run_data"], "status": status}}


def _place(session_id: UUID, row: Row) -> tuple[AgentRun, bool, int]:
    """The run as it is kept or a new one, which of the two, and the place of a new one.

    That is the wanted place, but never one before the end: a caller counts the runs that it holds, and where others
    have been deleted or added since, that number would put its run among older ones.
    """
    session = statements.key(session_id)
    [(pk, anchor, span, last)] = statements.fetch(PLACE, [session, session, row["run_id"]])
    end = 0 if last is None else int(last) + 1
    run = AgentRun(pk=pk, anchor=anchor and statements.uuid(anchor), span=span or 0)
    return run, pk is None, max(end, row["run_index"] or 0)
