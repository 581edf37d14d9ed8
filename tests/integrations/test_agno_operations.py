"""Any sequence of operations leaves in DjangoDb what it leaves in Agno's own in-memory database."""

import json
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("agno", reason="agno is not installed")

from agno.db.base import SessionType
from agno.db.in_memory import InMemoryDb
from agno.run.base import RunStatus
from agno.session import AgentSession
from django.contrib.auth.models import User
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chats.integrations.agno import DjangoDb
from tests.integrations.agno_cases import said

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = st.text(max_size=20) | st.sampled_from(["a\0b", "\ud800", "ünïcode 🎓"])
STATUS = st.sampled_from([RunStatus.completed, RunStatus.running, RunStatus.error, RunStatus.cancelled])
OPERATION = (
    st.tuples(st.just("session"), st.integers(0, 1), st.sampled_from([None, "ann", "bob"]), TEXT)
    | st.tuples(st.just("run"), st.integers(0, 1), st.integers(0, 5), st.tuples(TEXT, TEXT, STATUS))
    | st.tuples(st.just("member"), st.integers(0, 1), st.integers(0, 5), TEXT)
    | st.tuples(st.just("read"), st.integers(0, 1), st.sampled_from([None, "ann", "bob"]), st.none())
    | st.tuples(st.just("newest"), st.integers(0, 1), st.integers(1, 3), st.none())
    | st.tuples(st.just("rename"), st.integers(0, 1), st.sampled_from([None, "ann", "bob"]), TEXT)
    | st.tuples(st.just("delete run"), st.integers(0, 1), st.integers(0, 5), st.none())
    | st.tuples(st.just("delete"), st.integers(0, 1), st.sampled_from([None, "ann", "bob"]), st.none())
)


def perform(db: Any, prefix: str, operation: Any) -> Any:
    """Do one thing to one of two sessions and return what comes of it."""
    name, number, detail, value = operation
    session_id = f"{prefix}{number}"
    match name:
        case "session":
            session = AgentSession(
                session_id=session_id,
                agent_id="tutor",
                user_id=detail,
                session_data={"session_state": {"note": value}},
                metadata={"deep": [1, None, {"x": value}]},
                created_at=1700000000,
            )
            return _plain(db.upsert_session(session))
        case "run":
            question, answer, status = value
            if db.get_session(session_id) is not None:
                run_id = f"{session_id} {detail}"
                db.upsert_run(said(run_id, question, answer, status=status, created_at=1700000001), session_id)
            return None
        case "member":
            if db.get_session(session_id) is not None:
                member = said(f"{session_id} {detail}", "", value, parent_run_id="team", created_at=1700000002)
                db.upsert_run(member, session_id)
            return None
        case "read":
            return _plain(db.get_session(session_id, SessionType.AGENT, user_id=detail))
        case "newest":
            return _plain(db.get_session(session_id, runs_limit=detail))
        case "rename":
            renamed = db.rename_session(session_id, SessionType.AGENT, value, user_id=detail)
            return renamed and renamed.session_data
        case "delete run":
            return db.delete_run(f"{session_id} {detail}")
        case _:
            return db.delete_session(session_id, user_id=detail)


def _plain(session: Any) -> Any:
    if session is None:
        return None
    plain = session.to_dict()
    plain.pop("updated_at")
    for run in plain.get("runs") or []:
        run.pop("run_index", None)
        for message in run.get("messages") or []:
            message.pop("id", None)
            message.pop("created_at", None)
    return json.dumps(plain | {"runs": plain.get("runs") or []}, sort_keys=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(operations=[("rename", 0, None, "0 "), ("rename", 0, None, " "), ("session", 0, None, "")])
@given(operations=st.lists(OPERATION, max_size=14))
def test_any_operations_leave_what_the_in_memory_database_keeps(student: User, operations: list[Any]) -> None:
    prefix = f"{uuid4()} "
    ours, own = DjangoDb(), InMemoryDb()
    # Most operations mean little in a session that isn't there.
    for operation in [("session", 0, None, ""), ("session", 1, "ann", ""), *operations]:
        assert perform(ours, prefix, operation) == perform(own, prefix, operation)
        for number in (0, 1):
            look = ("read", number, None, None)
            assert perform(ours, prefix, look) == perform(own, prefix, look)
