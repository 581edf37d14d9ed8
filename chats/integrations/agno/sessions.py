"""Agno's sessions among this site's conversations.

A session row of Agno's is a session here with an `AgentState`; its runs are rows of their own.
"""

import json
import time
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from agno.db.base import SessionType
from agno.db.utils import build_single_run_row
from agno.session import Session
from django.db import transaction
from django.utils import timezone

from chats.integrations.agno import branches, runs
from chats.integrations.agno.projection import COMPONENTS, FORMAT, as_json
from chats.integrations.agno.rows import JSON_FIELDS, TITLE_LENGTH, Row, kind_of, moment_of, name_of, session_row
from chats.integrations.bridge import whose
from chats.models import AgentRun, AgentState, ChatSession
from chats.services import agent_states, owners
from chats.services import sessions as site_sessions
from chats.services.agent_states import Found
from chats.services.owners import Owner
from core import statements
from core.errors import NotFound
from core.text import storable


def find(session_id: str, user_id: str | None) -> Found | None:
    """The session of that user; without one, the one that Agno knows by that id, whosever it is."""
    if user_id is not None:
        return agent_states.find(whose(user_id), session_id, FORMAT)
    return agent_states.find_anyones(session_id, FORMAT)


def lock(session_id: str, user_id: str | None) -> Found | None:
    """The same, locked until the transaction ends."""
    if user_id is not None:
        return agent_states.lock(whose(user_id), session_id, FORMAT)
    known = agent_states.find_anyones(session_id, FORMAT)
    session = None if known is None else owners.lock_by_id(known.session.pk)
    return None if session is None else agent_states.look(session, FORMAT)


def get_session(
    session_id: str, user_id: str | None, *, newest: int | None = None
) -> tuple[UUID, Row, list[branches.Text]] | None:
    """The session's key, its row, and its runs as ids and JSON texts, so that who reads it again need not parse again.

    `newest` keeps that many of the newest which count as history.
    """
    found = find(session_id, user_id)
    if found is None:
        return None
    session, state = found.session, found.state
    row = session_row(session, state)
    if newest is None:
        return session.pk, row, branches.runs(session, state, row["session_id"])
    return session.pk, row, branches.newest_runs(session, state, row["session_id"], newest)


def runs_of(key: UUID) -> list[branches.Text]:
    """All runs of the session of that key; none when it is gone."""
    found = agent_states.find_by_id(key, FORMAT)
    return [] if found is None else branches.runs(found.session, found.state, _name(found.session))


def newest_runs_of(key: UUID, count: int, skipped: Collection[str]) -> list[branches.Text]:
    """The newest of them that count as history, when runs with a `skipped` status don't."""
    found = agent_states.find_by_id(key, FORMAT)
    if found is None:
        return []
    return branches.newest_runs(found.session, found.state, _name(found.session), count, skipped)


@transaction.atomic
def upsert_session(session: Session, *, preserve_updated_at: bool = False) -> Row | None:
    """Keep the session's own fields; runs only with a new one. None when another user's session bears the id."""
    given = session.to_dict(include_runs=False)
    found, created = _claim(session.session_id, session.user_id, given.get("created_at"))
    if found is None:
        return None
    now = int(time.time())
    fresh = found.state is None
    state = found.state or AgentState(
        session=found.session,
        framework=FORMAT,
        created_at=given.get("created_at") or now,
        head=found.session.head_id if created else None,
    )
    updated_at = given.get("updated_at") if preserve_updated_at else (state.created_at if fresh else now)
    before = state.name
    values = {name: given.get(name) or "" for name in COMPONENTS.values()} | {
        "kind": kind_of(session),
        "scope": session.user_id,
        "name": name_of(given),
        "data": as_json({name: given.get(name) for name in JSON_FIELDS}),
        "updated_at": updated_at,
        "saved_at": timezone.now(),
    }
    with statements.together():
        _write(state, values, fresh=fresh)
        moment = moment_of(updated_at) if fresh or preserve_updated_at else None
        _show(found.session, state, moment=moment, before=before)
    if created:
        for index, run in enumerate(session.runs or []):
            row = build_single_run_row(run, session.session_id, session.user_id, index)
            runs.keep_run(agent_states.look(found.session, FORMAT), row)
    return session_row(found.session, state)


@transaction.atomic
def rename(session_id: str, session_type: SessionType | None, name: str, user_id: str | None) -> Row | None:
    found = lock(session_id, user_id)
    if found is None:
        return None
    session, state = found.session, found.state
    if session_type is not None and (state.kind if state else "agent") != SessionType(session_type).value:
        return None
    fresh = state is None
    if state is None:
        created = int(session.created_at.timestamp())
        state = AgentState(session=session, framework=FORMAT, kind="agent", created_at=created, scope=user_id)
    data = json.loads(state.data)
    data["session_data"] = {**(data.get("session_data") or {}), "session_name": name}
    now, before = timezone.now(), state.name
    updated_at = int(now.timestamp())
    values = {"name": name_of(data), "data": as_json(data), "saved_at": now, "updated_at": updated_at}
    _write(state, values, fresh=fresh)
    _show(session, state, before=before)
    row = session_row(session, state)
    row["runs"] = [json.loads(text) for _, text in branches.runs(session, state, row["session_id"])]
    return row


@transaction.atomic
def delete_sessions(session_ids: Sequence[str], user_id: str | None) -> int:
    """Erase the sessions with all that was said in them. Returns how many there were."""
    found = [one.session.pk for session_id in session_ids if (one := find(session_id, user_id)) is not None]
    if found:
        site_sessions.erase(found)
    return len(found)


@transaction.atomic
def reassign_owner(session_id: str, previous_user_id: str, user_id: str | None) -> bool:
    found = lock(session_id, previous_user_id)
    if found is None or found.state is None:
        return False
    if AgentRun.objects.filter(session=found.session, status__in=["PENDING", "RUNNING", "PAUSED"]).exists():
        return False
    if not _move(found.session, owners.owner_of(whose(user_id))):
        return False
    AgentState.objects.filter(pk=found.state.pk).update(scope=user_id)
    return True


def _claim(session_id: str, user_id: str | None, created_at: int | None) -> tuple[Found | None, bool]:
    """The locked session to write to, and whether it is new. None for another user's."""
    owner = whose(user_id)
    if (found := agent_states.lock(owner, session_id, FORMAT)) is not None:
        return found, False
    if (known := lock(session_id, None)) is not None:
        unclaimed = known.state is not None and known.state.scope is None
        return (known if unclaimed and _move(known.session, owners.owner_of(owner)) else None), False
    moment = moment_of(created_at)
    try:
        return agent_states.lock_or_create(owner, session_id, FORMAT, created_at=moment, last_activity_at=moment)
    except NotFound:
        return None, False


def _name(session: ChatSession) -> str:
    return session.external_id or str(session.pk)


def _move(session: ChatSession, owner: Owner) -> bool:
    """Give the session to `owner`, unless they have one of that name already."""
    theirs = {"user_id": owner.user.pk, "external_user_id": owner.external_user_id}
    if all(getattr(session, name) == value for name, value in theirs.items()):
        return True
    if session.external_id and ChatSession.objects.filter(**theirs, external_id=session.external_id).exists():
        return False
    for name, value in theirs.items():
        setattr(session, name, value)
    session.save(update_fields=["user", "external_user_id", "updated_at"])
    return True


def _write(state: AgentState, values: Row, *, fresh: bool) -> None:
    for name, value in values.items():
        setattr(state, name, value)
    if fresh:
        state.save()
    else:
        statements.put(AgentState, "id = %s", [state.pk], **values)


def _show(session: ChatSession, state: AgentState, *, moment: datetime | None = None, before: str = "") -> None:
    """Let the site show what Agno calls the session (and called it `before`), and when it was last used."""
    now = timezone.now()
    changes: dict[str, Any] = {"last_activity_at": moment or now, "updated_at": now}
    title = state.name.strip()[:TITLE_LENGTH]
    if title and title != session.title:
        changes |= {"title": storable(title), "title_source": "user"}
    elif not title and before and session.title == before.strip()[:TITLE_LENGTH]:
        changes["title_source"] = "question"  # Agno took its name back: the title is nobody's wish any more
    statements.put(ChatSession, "id = %s", [statements.key(session.pk)], **changes)
    for name, value in changes.items():
        setattr(session, name, value)
