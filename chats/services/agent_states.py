"""What a framework keeps of a session, found with the session and the end of its shown branch in one query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, F, FilteredRelation, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL

from chats.models import RUNNING, AgentState, ChatSession
from chats.services import owners
from chats.services.branches import ANSWERING
from chats.services.owners import FRAMEWORK, NEEDED
from core import statements
from core.errors import NotFound
from core.statements import ID, Compiled

STATE = [field.attname for field in AgentState._meta.concrete_fields if field.attname != "saved_at"]
END = ("role", "raw_format", "ordinal", "state", "has_text", "entry_id")
COLUMNS = [*NEEDED, *(f"kept_{name}" for name in STATE), *(f"end_{name}" for name in END), "answering"]


@dataclass(frozen=True, slots=True)
class Head:
    """The newest message of the shown branch. `entry_id` is a framework's own name for it, if it gave one."""

    id: UUID
    role: str
    raw_format: str
    ordinal: int
    state: str
    has_text: bool
    entry_id: str | None

    @property
    def is_running(self) -> bool:
        return self.state in RUNNING


@dataclass(frozen=True, slots=True)
class Found:
    session: ChatSession
    state: AgentState | None
    head: Head | None
    is_answering: bool


def find(whose: owners.Whose, session_id: str, framework: str) -> Found | None:
    """What `owners.find` finds, and what the framework keeps of it."""
    query = owners.statement(_named, whose, session_id, framework=framework)
    row = owners.chosen(statements.fetch(*query), session_id)
    return None if row is None else found_in(row)


def lock(whose: owners.Whose, session_id: str, framework: str) -> Found | None:
    """The same with the session's row locked until the transaction ends: as everything is from then on."""
    named = owners.statement(_named, whose, session_id, framework=framework)
    if connection.features.has_select_for_update:
        # What hangs on the session is read by a statement of its own, which begins once the row is locked.
        locked, rows = statements.fetch_each(owners.locking(whose, session_id), named)
        if not locked:
            return None
    else:
        rows = statements.fetch(*named)  # a transaction has the whole database for itself
    row = owners.chosen(rows, session_id)
    return None if row is None else found_in(row)


def lock_or_create(whose: owners.Whose, session_id: str, framework: str, **fields: Any) -> tuple[Found, bool]:
    """What `owners.lock_or_create` finds or makes (True), and what the framework keeps of it."""
    if found := lock(whose, session_id, framework):
        return found, False
    session, created = owners.lock_or_create(whose, session_id, **fields)
    return look(session, framework), created


def find_anyones(session_id: str, framework: str) -> Found | None:
    """The session that the framework knows by that id or external id, whosever it is."""
    known = ChatSession.objects.present().filter(owners.bears(session_id))
    row = columns(known, framework).filter(kept__isnull=False).order_by("id").first()
    return None if row is None else found_in(row)


def find_by_id(session_id: UUID, framework: str) -> Found | None:
    """The session of that very id, whosever it is."""
    query, parameters = _by_id(connection.vendor)
    rows = statements.fetch(query, statements.filled(parameters, {ID: session_id, FRAMEWORK: framework}))
    return found_in(rows[0]) if rows else None


def look(session: ChatSession, framework: str) -> Found:
    """The same for a session that is locked already, as everything is now that it is."""
    found = find_by_id(session.pk, framework)
    if found is None:
        raise NotFound
    return replace(found, session=session)


def columns(sessions: QuerySet[ChatSession], framework: str) -> QuerySet[Any, Any]:
    """Rows for `found_in` of these sessions, whether the framework knows them (`kept`) or not."""
    kept = FilteredRelation("agent_states", condition=Q(agent_states__framework=framework))
    ends = {f"end_{name}": F(f"head__{name}") for name in ("role", "raw_format", "ordinal", "state")}
    return (
        sessions.alias(kept=kept)
        .annotate(
            **{f"kept_{name}": F(f"kept__{name}") for name in STATE},
            **ends,
            end_entry_id=F("head__agent_entry__entry_id"),
            end_has_text=Case(When(~Q(head__content=""), then=Value(1)), default=Value(0)),
            answering=RawSQL(ANSWERING.format(session="chats_chatsession.id"), []),  # noqa: S611 - a constant
        )
        .values_list(*COLUMNS)
    )


def found_in(row: Sequence[Any]) -> Found:
    session = owners.session_from(row[: len(NEEDED)])
    kept = dict(zip(STATE, row[len(NEEDED) :], strict=False))
    end = row[len(NEEDED) + len(STATE) : -1]
    head = None if session.head_id is None else Head(session.head_id, *end)
    return Found(session, _state(session, kept), head, bool(row[-1]))


def _state(session: ChatSession, kept: dict[str, Any]) -> AgentState | None:
    if kept["id"] is None:
        return None
    kept |= {"session_id": session.pk, "head": None if kept["head"] is None else statements.uuid(kept["head"])}
    return AgentState.from_db(connection.alias, STATE, list(kept.values()))


@cache
def _named(vendor: str, by_id: bool) -> Compiled:
    return statements.compiled(columns(owners.named(by_id=by_id), FRAMEWORK))


@cache
def _by_id(vendor: str) -> Compiled:
    return statements.compiled(columns(ChatSession.objects.present().filter(pk=ID).order_by(), FRAMEWORK))
