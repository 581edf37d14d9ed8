"""Full-text search over one's own messages and titles.

The database keeps the index in the transaction that writes a text (see `SearchEntry`), so search never lags behind.
A query is words that must all occur; "words in quotes" are a phrase; the last word, or one with a star, may go on.
Accents and case don't matter. What a search costs is bounded, whoever asks: at most `texts.CANDIDATES` are ranked, the
newest that match.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from chats.models import ChatSession, Message
from chats.querysets import Person
from chats.search.operators import anybodys
from chats.search.snippets import Snippet, highlight
from chats.search.terms import Term, parse
from chats.search.texts import candidates

__all__ = ["MessageHit", "SearchPage", "SessionHit", "Snippet", "Term", "anybodys", "highlight", "parse", "search"]

TEXTS_PER_SESSION = 3
SNIPPET_CHARACTERS = 200
TITLE_WEIGHT = 2.0
# A conversation loses half of what its recency adds in this many days.
HALF_LIFE_DAYS = 30.0
RECENCY_WEIGHT = 0.6


@dataclass(frozen=True)
class MessageHit:
    message_id: UUID
    role: str
    created_at: datetime
    snippet: Snippet


@dataclass(frozen=True)
class SessionHit:
    """A conversation that matches: its title, marked, and its best matching messages."""

    session: ChatSession
    title: Snippet
    messages: list[MessageHit]


@dataclass(frozen=True)
class SearchPage:
    """One page of hits, best first. `total` counts the conversations among the texts that were ranked."""

    hits: list[SessionHit]
    total: int

    @property
    def sessions(self) -> list[ChatSession]:
        return [hit.session for hit in self.hits]


@dataclass
class _Ranked:
    score: float = 0.0
    texts: list[tuple[float, UUID]] = field(default_factory=list)


def search(
    *, user: Person, query: str, limit: int = 20, offset: int = 0, within: "QuerySet[ChatSession] | None" = None
) -> SearchPage:
    """The user's conversations that match `query`, best first, recent ones ahead of old ones.

    `within` narrows down which of them (default: those that are not deleted). A query without a word finds nothing.
    """
    terms = parse(query)
    if not terms:
        return SearchPage([], 0)
    allowed = ChatSession.objects.for_user(user)
    allowed = allowed.present() if within is None else allowed & within
    ranked = _rank(candidates(user, terms, allowed))
    best = sorted(ranked, key=lambda pk: (ranked[pk].score, pk), reverse=True)
    page = best[offset : offset + limit]
    shown = (allowed if within is None else within).filter(pk__in=page)
    sessions = {session.pk: session for session in shown} if page else {}
    texts = _texts([pk for session in page for _, pk in ranked[session].texts])
    hits = [
        SessionHit(sessions[pk], highlight(sessions[pk].title, terms), _message_hits(ranked[pk].texts, texts, terms))
        for pk in page
        if pk in sessions
    ]
    return SearchPage(hits, len(best))


def _rank(candidates: Iterable[dict[str, Any]]) -> dict[UUID, _Ranked]:
    """A conversation is as good as its best text, and better when it is recent."""
    now = timezone.now()
    ranked: defaultdict[UUID, _Ranked] = defaultdict(_Ranked)
    for row in candidates:
        age = max(0.0, (now - row["active_at"]).total_seconds() / 86400)
        recency = 1 - RECENCY_WEIGHT + RECENCY_WEIGHT * 0.5 ** (age / HALF_LIFE_DAYS)
        score = row["rank"] * recency * (TITLE_WEIGHT if row["message_id"] is None else 1.0)
        session = ranked[row["session_id"]]
        session.score = max(session.score, score)
        if row["message_id"] is not None:
            session.texts.append((row["rank"], row["message_id"]))
    for session in ranked.values():
        session.texts = sorted(session.texts, reverse=True)[:TEXTS_PER_SESSION]
    return ranked


def _texts(message_ids: Sequence[UUID]) -> dict[UUID, Message]:
    rows = Message.objects.filter(pk__in=message_ids).only("id", "role", "content", "created_at")
    return {message.pk: message for message in rows} if message_ids else {}


def _message_hits(
    ranked: Iterable[tuple[float, UUID]], texts: dict[UUID, Message], terms: Sequence[Term]
) -> list[MessageHit]:
    messages = (texts[pk] for _, pk in ranked if pk in texts)
    return [
        MessageHit(message.pk, message.role, message.created_at, highlight(message.content, terms, SNIPPET_CHARACTERS))
        for message in messages
    ]
