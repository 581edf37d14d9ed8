"""The databases that an Agno agent, team, workflow or AgentOS is given."""

from collections.abc import Callable
from typing import Any, NoReturn

from agno.db.base import AsyncBaseDb
from agno.db.utils import SessionRunObjectCache

from chats.integrations.agno import documents
from chats.integrations.agno.document_methods import DocumentMethods
from chats.integrations.agno.learnings import LearningMethods
from chats.integrations.agno.rows import Row
from chats.integrations.agno.session_methods import SessionMethods
from chats.integrations.bridge import run, settled


def _unkept(self: object, *args: object, **kwargs: object) -> NoReturn:
    raise NotImplementedError(
        "DjangoDb keeps no traces: they repeat what was said, beyond the reach of retention and erasure. "
        "Give Agno's tracing a database of its own."
    )


def _nothing(self: object, *args: object, **kwargs: object) -> None:
    return None


def _none_listed(self: object, *args: object, **kwargs: object) -> list[Any]:
    return []


def _empty_page(self: object, *args: object, **kwargs: object) -> tuple[list[Any], int]:
    return [], 0


class DjangoDb(SessionMethods, DocumentMethods, LearningMethods):
    """Agno's sessions and what goes with them in this site's database, for sync and async agents alike.

    A session of another user is never returned to a call that names one, and never written to. While the tutor of the
    site answers in a session, a run is still kept there, behind the answer: Agno drops what a database refuses.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Agno's own name for it
        super().__init__(id=id or "studybuddy")
        # An agent reads its whole session each turn: runs that it has read already are not built again.
        self._run_objects = SessionRunObjectCache()

    def to_dict(self) -> Row:
        return {"id": self.id, "type": "django"}

    @classmethod
    def from_dict(cls, data: Row) -> "DjangoDb":
        return cls(id=data.get("id"))

    def table_exists(self, table_name: str) -> bool:
        """Always: Django's migrations make the tables."""
        return True

    def get_latest_schema_version(self, table_name: str = "") -> str:
        return run(documents.schema_version, table_name) or self.default_schema_version

    def upsert_schema_version(self, table_name: str = "", version: str = "") -> None:
        run(documents.set_schema_version, table_name, version)

    upsert_trace = create_span = create_spans = _unkept
    get_trace = get_span = _nothing
    get_spans = _none_listed
    get_traces = get_trace_stats = get_span_stats = _empty_page


def _twin(name: str) -> Callable[..., Any]:
    async def call(self: "AsyncDjangoDb", *args: Any, **kwargs: Any) -> Any:
        return await settled(getattr(self._sync, name), *args, **kwargs)

    call.__name__, call.__doc__ = name, getattr(DjangoDb, name).__doc__
    return call


_OWN = ("to_dict", "from_dict")
_SHARED = {name for owner in (DjangoDb, SessionMethods, DocumentMethods, LearningMethods) for name in vars(owner)}
_TWINS: Any = type("_Twins", (), {name: _twin(name) for name in _SHARED if name[0] != "_" and name not in _OWN})


class AsyncDjangoDb(_TWINS, AsyncBaseDb):
    """The same for code that wants Agno's async interface: each call runs on a thread for database work."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Agno's own name for it
        super().__init__(id=id or "studybuddy")
        self._sync = DjangoDb(id=self.id)

    def to_dict(self) -> Row:
        return self._sync.to_dict() | {"type": "async-django"}

    @classmethod
    def from_dict(cls, data: Row) -> "AsyncDjangoDb":
        return cls(id=data.get("id"))
