"""What Agno asks a database about what is kept outside sessions: memories, knowledge, evaluations, metrics."""

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from agno.db.base import BaseDb
from agno.db.in_memory import InMemoryDb
from agno.db.schemas import UserMemory
from agno.db.schemas.evals import EvalRunRecord
from agno.db.schemas.knowledge import KnowledgeRow
from agno.db.utils import validate_pagination

from chats.integrations import bridge
from chats.integrations.agno import documents, listing
from chats.integrations.agno.rows import Row

T = TypeVar("T")


class DocumentMethods(BaseDb):
    # Memories

    def clear_memories(self) -> None:
        bridge.run(documents.perform, "memory", InMemoryDb.clear_memories)

    def delete_user_memory(self, memory_id: str, user_id: str | None = None) -> None:
        bridge.run(documents.perform, "memory", lambda kept: kept.delete_user_memory(memory_id, user_id))

    def delete_user_memories(self, memory_ids: list[str], user_id: str | None = None) -> None:
        bridge.run(documents.perform, "memory", lambda kept: kept.delete_user_memories(memory_ids, user_id))

    def get_all_memory_topics(self, user_id: str | None = None) -> list[str]:
        return _read("memory", lambda kept: kept.get_all_memory_topics(user_id), user_id)

    def get_user_memory(
        self, memory_id: str, deserialize: bool | None = True, user_id: str | None = None
    ) -> UserMemory | Row | None:
        return _read("memory", lambda kept: kept.get_user_memory(memory_id, deserialize, user_id), user_id)

    def get_user_memories(
        self,
        user_id: str | None = None,
        agent_id: str | None = None,
        team_id: str | None = None,
        topics: list[str] | None = None,
        search_content: str | None = None,
        limit: int | None = None,
        page: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        validate_pagination(limit, page)
        wanted = (user_id, agent_id, team_id, topics, search_content, limit, page, *args)
        return _read("memory", lambda kept: kept.get_user_memories(*wanted, **kwargs), user_id)

    def get_user_memory_stats(
        self, limit: int | None = None, page: int | None = None, user_id: str | None = None
    ) -> tuple[list[Row], int]:
        validate_pagination(limit, page)
        return _read("memory", lambda kept: kept.get_user_memory_stats(limit, page, user_id), user_id)

    def upsert_user_memory(self, memory: UserMemory, deserialize: bool | None = True) -> Any:
        return bridge.run(documents.perform, "memory", lambda kept: kept.upsert_user_memory(memory, deserialize))

    def upsert_memories(
        self, memories: list[UserMemory], deserialize: bool | None = True, preserve_updated_at: bool = False
    ) -> list[UserMemory | Row]:
        return bridge.run(
            documents.perform,
            "memory",
            lambda kept: kept.upsert_memories(memories, deserialize, preserve_updated_at),
        )

    # Knowledge

    def delete_knowledge_content(self, id: str, user_id: str | None = None) -> None:  # noqa: A002
        bridge.run(documents.perform, "knowledge", lambda kept: kept.delete_knowledge_content(id, user_id))

    def get_knowledge_content(self, id: str, user_id: str | None = None) -> KnowledgeRow | None:  # noqa: A002
        return _read("knowledge", lambda kept: kept.get_knowledge_content(id, user_id))

    def get_knowledge_contents(
        self, limit: int | None = None, page: int | None = None, *args: Any, **kwargs: Any
    ) -> tuple[list[KnowledgeRow], int]:
        validate_pagination(limit, page)
        return _read("knowledge", lambda kept: kept.get_knowledge_contents(limit, page, *args, **kwargs))

    def upsert_knowledge_content(self, knowledge_row: KnowledgeRow) -> Any:
        return bridge.run(documents.perform, "knowledge", lambda kept: kept.upsert_knowledge_content(knowledge_row))

    # Evaluations

    def create_eval_run(self, eval_run: EvalRunRecord) -> Any:
        return bridge.run(documents.perform, "evaluation", lambda kept: kept.create_eval_run(eval_run))

    def delete_eval_runs(self, eval_run_ids: list[str], user_id: str | None = None) -> None:
        bridge.run(documents.perform, "evaluation", lambda kept: kept.delete_eval_runs(eval_run_ids, user_id))

    def get_eval_run(self, eval_run_id: str, *args: Any, **kwargs: Any) -> EvalRunRecord | Row | None:
        return _read("evaluation", lambda kept: kept.get_eval_run(eval_run_id, *args, **kwargs))

    def get_eval_runs(self, limit: int | None = None, page: int | None = None, *args: Any, **kwargs: Any) -> Any:
        validate_pagination(limit, page)
        return _read("evaluation", lambda kept: kept.get_eval_runs(limit, page, *args, **kwargs))

    def rename_eval_run(self, eval_run_id: str, name: str, *args: Any, **kwargs: Any) -> Any:
        return bridge.run(
            documents.perform,
            "evaluation",
            lambda kept: kept.rename_eval_run(eval_run_id, name, *args, **kwargs),
        )

    def update_eval_run_user_id(self, eval_run_id: str, user_id: str) -> None:
        bridge.run(documents.perform, "evaluation", lambda kept: kept.update_eval_run_user_id(eval_run_id, user_id))

    # Metrics

    def get_metrics(
        self, starting_date: date | None = None, ending_date: date | None = None, user_id: str | None = None
    ) -> tuple[list[Row], int | None]:
        return _read("metrics", lambda kept: kept.get_metrics(starting_date, ending_date, user_id))

    def calculate_metrics(self) -> list[Row] | None:
        """Count sessions, runs and tokens of the days that have no complete figures yet."""
        return bridge.run(documents.perform, "metrics", _calculate_metrics)


def _read(kind: str, operation: Callable[[InMemoryDb], T], owner: str | None = None) -> T:
    return bridge.run(documents.perform, kind, operation, owner=owner, reads=True)


def _calculate_metrics(kept: InMemoryDb) -> list[Row] | None:
    rows, _ = listing.get_sessions(sort_by="created_at", sort_order="asc")
    kept._sessions = {row["session_id"]: row for row in rows}  # noqa: SLF001 - what its own calculation reads
    return kept.calculate_metrics()
