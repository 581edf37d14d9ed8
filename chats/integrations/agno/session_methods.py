"""What Agno asks a database about sessions and runs."""

import json
from typing import Any

from agno.db.base import BaseDb, SessionType
from agno.db.utils import SessionRunObjectCache, deserialize_run, deserialize_session, deserialize_sessions
from agno.run.base import RunStatus
from agno.session import Session

from chats.integrations import bridge
from chats.integrations.agno import listing
from chats.integrations.agno import runs as kept_runs
from chats.integrations.agno import sessions as kept_sessions
from chats.integrations.agno.history import PREFETCHED, KeptSession, kept_session
from chats.integrations.agno.rows import Row


class SessionMethods(BaseDb):
    """Sessions and runs. An agent's session is a `KeptSession`: its older runs are read when they are looked at."""

    _run_objects: SessionRunObjectCache

    # Sessions

    def get_session(
        self,
        session_id: str,
        session_type: SessionType | None = None,
        user_id: str | None = None,
        deserialize: bool | None = True,
        runs_limit: int | None = None,
    ) -> Session | Row | None:
        """The session with its runs, or the newest `runs_limit` of those that count as history."""
        as_agents = bool(deserialize) and session_type in (None, SessionType.AGENT)
        newest = PREFETCHED if runs_limit is None and as_agents else runs_limit
        found = bridge.run(kept_sessions.get_session, session_id, user_id, newest=newest)
        if found is None:
            return None
        key, row, texts = found
        if as_agents and row["session_type"] == "agent":
            session = kept_session(key, row, texts, self._run_objects)
            if session is not None and runs_limit is not None:
                session.runs = self._run_objects.runs_from_rows(str(key), texts)
            return session
        if newest != runs_limit:
            texts = bridge.run(kept_sessions.runs_of, key)
        row["runs"] = [json.loads(text) for _, text in texts]
        return deserialize_session(session_type, row) if deserialize else row

    def get_sessions(
        self,
        session_type: SessionType | None = None,
        user_id: str | None = None,
        component_id: str | None = None,
        session_name: str | None = None,
        start_timestamp: int | None = None,
        end_timestamp: int | None = None,
        limit: int | None = None,
        page: int | None = None,
        sort_by: str | None = None,
        sort_order: str | None = None,
        deserialize: bool | None = True,
        include_runs: bool = True,
    ) -> list[Session] | tuple[list[Row], int]:
        """A page of sessions; with `deserialize` false as rows, and how many there are in all."""
        rows, total = bridge.run(
            listing.get_sessions,
            session_type=session_type,
            user_id=user_id,
            component_id=component_id,
            session_name=session_name,
            start=start_timestamp,
            end=end_timestamp,
            limit=limit,
            page=page,
            sort_by=sort_by,
            sort_order=sort_order,
            include_runs=include_runs,
        )
        return deserialize_sessions(session_type, rows) if deserialize else (rows, total)

    def upsert_session(self, session: Session, deserialize: bool | None = True) -> Session | Row | None:
        """Keep the session's own fields. None when another user's session bears its id."""
        return _kept(bridge.run(kept_sessions.upsert_session, session), session, deserialize)

    def upsert_sessions(
        self, sessions: list[Session], deserialize: bool | None = True, preserve_updated_at: bool = False
    ) -> list[Session | Row]:
        """Keep sessions, each in a transaction of its own. Returns those that were kept; a None among them is none."""
        results = []
        for session in [one for one in sessions if one]:
            row = bridge.run(kept_sessions.upsert_session, session, preserve_updated_at=preserve_updated_at)
            if (kept := _kept(row, session, deserialize)) is not None:
                results.append(kept)
        return results

    def rename_session(
        self,
        session_id: str,
        session_type: SessionType | None,
        session_name: str,
        user_id: str | None = None,
        deserialize: bool | None = True,
    ) -> Session | Row | None:
        row = bridge.run(kept_sessions.rename, session_id, session_type, session_name, user_id)
        return row if row is None or not deserialize else deserialize_session(session_type, row)

    def delete_session(self, session_id: str, user_id: str | None = None) -> bool:
        """Erase the session and all that was said in it."""
        return bridge.run(kept_sessions.delete_sessions, [session_id], user_id) > 0

    def delete_sessions(self, session_ids: list[str], user_id: str | None = None) -> None:
        bridge.run(kept_sessions.delete_sessions, session_ids, user_id)

    def reassign_session_owner(self, session_id: str, *, previous_user_id: str, user_id: str | None) -> bool:
        return bridge.run(kept_sessions.reassign_owner, session_id, previous_user_id, user_id)

    # Runs

    def get_run(self, run_id: str, deserialize: bool | None = True) -> Any:
        row = bridge.run(kept_runs.get_run, run_id)
        return row if row is None or not deserialize else deserialize_run(row["run_type"], row["run_data"])

    def get_runs(
        self,
        session_id: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        team_id: str | None = None,
        workflow_id: str | None = None,
        status: RunStatus | None = None,
        limit: int | None = None,
        page: int | None = None,
        sort_by: str | None = None,
        sort_order: str | None = None,
        deserialize: bool | None = True,
    ) -> Any:
        """A page of runs; with `deserialize` false as rows, and how many there are in all."""
        given = {
            "session_id": session_id,
            "user_id": user_id,
            "agent_id": agent_id,
            "team_id": team_id,
            "workflow_id": workflow_id,
            "status": status.value if isinstance(status, RunStatus) else status,
        }
        filters = {name: value for name, value in given.items() if value is not None}
        rows, total = bridge.run(
            kept_runs.get_runs, filters, limit=limit, page=page, sort_by=sort_by, sort_order=sort_order
        )
        return [deserialize_run(row["run_type"], row["run_data"]) for row in rows] if deserialize else (rows, total)

    def upsert_run(self, run: Any, session_id: str, user_id: str | None = None, run_index: int | None = None) -> None:
        """Keep one run, at the same cost whatever the session's length."""
        bridge.run(kept_runs.upsert_run, run, session_id, user_id, run_index)

    def delete_run(self, run_id: str) -> bool:
        return bridge.run(kept_runs.delete_runs, [run_id]) > 0

    def delete_runs(self, run_ids: list[str]) -> None:
        bridge.run(kept_runs.delete_runs, run_ids)

    def cancel_pending_run(
        self,
        run_id: str,
        *,
        session_id: str,
        reason: str,
        user_id: str | None = None,
        expected_status: str = "PENDING",
    ) -> bool:
        return bridge.run(kept_runs.cancel_pending_run, run_id, session_id, reason, user_id, expected_status)


def _kept(row: Row | None, session: Session, deserialize: bool | None) -> Session | Row | None:
    """What Agno's databases return for a session that was kept: its row, with the caller's own runs."""
    if row is None:
        return None
    if not deserialize:
        return {**row, "runs": [one if isinstance(one, dict) else one.to_dict() for one in session.runs or []]}
    if isinstance(session, KeptSession):
        return session.renewed(row)
    kept = deserialize_session(None, row)
    kept.runs = session.runs
    return kept
