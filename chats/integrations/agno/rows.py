"""Sessions and runs as rows of Agno's own tables."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agno.session import AgentSession, Session, TeamSession
from django.utils import timezone

from chats.models import AgentRun, AgentState, ChatSession
from core.text import storable

Row = dict[str, Any]
JSON_FIELDS = ("session_data", "agent_data", "team_data", "workflow_data", "metadata", "summary")
NAME_LENGTH = 255
TITLE_LENGTH = 200


def session_row(session: ChatSession, state: AgentState | None) -> Row:
    """The session as a row of Agno's own sessions table. One made on the site is an agent's that nobody set up yet."""
    data = dict.fromkeys(JSON_FIELDS) | (json.loads(state.data) if state else {})
    if session.title and session.title_source == "user" and name_of(data).strip()[:TITLE_LENGTH] != session.title:
        # Somebody renamed it on the site since.
        data["session_data"] = {**(data["session_data"] or {}), "session_name": session.title}
    return {
        "session_id": session.external_id or str(session.pk),
        "session_type": state.kind if state else "agent",
        "agent_id": (state.agent_id or None) if state else None,
        "team_id": (state.team_id or None) if state else None,
        "workflow_id": (state.workflow_id or None) if state else None,
        "user_id": state.scope if state else (session.external_user_id or session.user.get_username()),
        **data,
        "created_at": state.created_at if state else int(session.created_at.timestamp()),
        "updated_at": state.updated_at if state else int(session.last_activity_at.timestamp()),
    }


def run_row(run: AgentRun) -> Row:
    """The run as a row of Agno's own runs table."""
    return {
        "run_id": run.run_id,
        "session_id": run.session.external_id or str(run.session_id),
        "run_type": run.kind,
        "agent_id": run.agent_id or None,
        "team_id": run.team_id or None,
        "workflow_id": run.workflow_id or None,
        "user_id": run.user_id or None,
        "parent_run_id": run.parent_run_id or None,
        "status": run.status or None,
        "run_index": run.run_index,
        "run_data": json.loads(run.data),
        "created_at": run.created_at,
        "updated_at": run.updated_at,
    }


def name_of(fields: Mapping[str, Any]) -> str:
    """What Agno calls the session, cut to what a column holds."""
    data = fields.get("session_data")
    name = data.get("session_name") if isinstance(data, dict) else None
    return storable(name)[:NAME_LENGTH] if isinstance(name, str) else ""


def kind_of(session: Session) -> str:
    if isinstance(session, AgentSession):
        return "agent"
    return "team" if isinstance(session, TeamSession) else "workflow"


def moment_of(seconds: int | None) -> datetime:
    return timezone.now() if seconds is None else datetime.fromtimestamp(seconds, UTC)
