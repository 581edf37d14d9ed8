"""An agent's session that reads of its runs only what somebody asks for.

An Agno agent reads its session anew each turn, looks at the newest few runs and adds one. Were they all there, a turn
would cost what the session is long. So this one holds the newest and fetches the rest when `runs` is looked at.
"""

import copy
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from inspect import currentframe
from typing import Any
from uuid import UUID

from agno.db.utils import HISTORY_SKIP_STATUSES, SessionRunObjectCache, deserialize_history_run
from agno.models.message import Message
from agno.run.base import RunStatus
from agno.session import AgentSession
from agno.session._utils import resolve_run_index

from chats.integrations.agno import sessions
from chats.integrations.agno.branches import Text
from chats.integrations.agno.rows import Row
from chats.integrations.bridge import run

PREFETCHED = 10
# To learn the place of a run that it has just added, Agno walks through all of them. Here the database gives a new run
# its place, so nothing is fetched for that walk, and without an answer Agno leaves the place open.
_LOOKS_FOR_A_PLACE = resolve_run_index.__code__
HISTORY = set(HISTORY_SKIP_STATUSES)


@dataclass(slots=True)
class Unread:
    """The runs of a session of which the newest `asked` that count as history are read, and what was added since."""

    key: UUID
    newest: Sequence[Text]
    asked: int
    objects: SessionRunObjectCache
    added: dict[str, Any] = field(default_factory=dict)

    def all(self) -> list[Any]:
        built = (deserialize_history_run(json.loads(text)) for _, text in run(sessions.runs_of, self.key))
        return self._with_added([one for one in built if one is not None])

    def last(self, count: int, skipped: Collection[str]) -> list[Any]:
        """The newest `count` runs that are no member's and whose status isn't skipped."""
        wanted = count + len(self.added)
        rows = self.newest[-wanted:] if wanted else []
        if set(skipped) != HISTORY or (self.asked < wanted and len(self.newest) == self.asked):
            rows = run(sessions.newest_runs_of, self.key, wanted, skipped)
        found = self._with_added(self.objects.runs_from_rows(str(self.key), rows))
        told = [one for one in found if one.parent_run_id is None and one.status not in skipped]
        return told[-count:] if count > 0 else []

    def _with_added(self, found: Sequence[Any]) -> list[Any]:
        added = dict(self.added)
        merged = [added.pop(one.run_id, one) for one in found]
        return [*merged, *added.values()]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Unread":
        return replace(self, added=copy.deepcopy(self.added, memo))


class KeptSession(AgentSession):
    """The same session to whoever uses it as Agno's own, whose `runs` are fetched when they are looked at."""

    unread: Unread | None = None
    held: list[Any] | None = None

    @property
    def runs(self) -> list[Any] | None:
        """All runs, oldest first."""
        if self.unread is not None:
            frame = currentframe()
            if frame is not None and frame.f_back is not None and frame.f_back.f_code is _LOOKS_FOR_A_PLACE:
                return []
            self.held, self.unread = self.unread.all(), None
        return self.held

    @runs.setter
    def runs(self, value: list[Any] | None) -> None:
        self.held, self.unread = value, None

    def renewed(self, row: Row) -> "KeptSession | None":
        """The same runs with the fields of `row`."""
        session = KeptSession.from_dict(row)
        if not isinstance(session, KeptSession):
            return None
        session.held, session.unread = self.held, copy.copy(self.unread)
        return session

    def upsert_run(self, run: Any) -> None:
        if self.unread is None:
            super().upsert_run(run)
            return
        # Agno's own way of adding it, to a session that holds nothing else.
        alone = AgentSession(session_id=self.session_id)
        alone.upsert_run(run)
        self.unread.added[run.run_id] = run

    def get_messages(
        self,
        agent_id: str | None = None,
        team_id: str | None = None,
        last_n_runs: int | None = None,
        limit: int | None = None,
        skip_roles: list[str] | None = None,
        skip_statuses: list[RunStatus] | None = None,
        skip_history_messages: bool = True,
    ) -> list[Message]:
        """The session's messages; with `last_n_runs` or `limit` only as many runs are read as that takes."""
        filters: dict[str, Any] = {
            "last_n_runs": last_n_runs,
            "limit": limit,
            "skip_roles": skip_roles,
            "skip_statuses": skip_statuses,
            "skip_history_messages": skip_history_messages,
        }
        if self.unread is None or agent_id or team_id:
            return super().get_messages(agent_id=agent_id, team_id=team_id, **filters)
        skipped = HISTORY_SKIP_STATUSES if skip_statuses is None else [RunStatus(one).value for one in skip_statuses]
        if last_n_runs is not None:
            return self._holding(self.unread.last(last_n_runs, skipped)).get_messages(**filters)
        if limit is not None and "system" in (skip_roles or []):
            return self._holding(self._enough(limit, skipped, filters)).get_messages(**filters)
        return super().get_messages(**filters)

    def _enough(self, limit: int, skipped: Collection[str], filters: dict[str, Any]) -> list[Any]:
        """As many of the newest runs as hold `limit` messages."""
        count = PREFETCHED
        while self.unread is not None:
            found = self.unread.last(count, skipped)
            messages = self._holding(found).get_messages(**{**filters, "limit": None})
            if len(found) < count or len(messages) >= limit:
                return found
            count *= 4
        return []

    def _holding(self, runs: list[Any]) -> AgentSession:
        return AgentSession(session_id=self.session_id, runs=runs)


def kept_session(key: UUID, row: Row, newest: Sequence[Text], objects: SessionRunObjectCache) -> KeptSession | None:
    """The session of an agent, of which the `newest` runs are read."""
    session = KeptSession.from_dict(row)
    if not isinstance(session, KeptSession):
        return None
    session.unread = Unread(key, newest, PREFETCHED, objects)
    return session
