"""Which texts of a person match: the two databases' own full-text indexes."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.expressions import RawSQL

from chats.models import ChatSession, SearchEntry
from chats.querysets import Person
from chats.search.terms import Term

CANDIDATES = 300
# On PostgreSQL the newest of a person's texts are looked at one by one, then more of them; when enough match, a word is
# common and these will do. Else it is rare, and the index finds all of them at little cost.
NEWEST = (1500, 6000)
ENOUGH = 100
NEWEST_TEXTS = "SELECT * FROM chats_searchentry WHERE user_id = %s ORDER BY written_at DESC LIMIT %s"
# The owner is asked for in the index too: see the migration that made it.
INDEXED_TEXTS = "SELECT * FROM chats_searchentry WHERE document @@ (%s::tsquery && to_tsquery('simple', %s))"
MATCHING = """
SELECT e.session_id, e.message_id, s.last_activity_at, ts_rank_cd(e.document, to_tsquery('simple', %s), 32)
FROM ({texts}) e JOIN chats_chatsession s ON s.id = e.session_id
WHERE e.document @@ to_tsquery('simple', %s) AND e.session_id IN ({sessions})
ORDER BY e.written_at DESC LIMIT %s
"""


def candidates(user: Person, terms: Sequence[Term], allowed: "QuerySet[ChatSession]") -> list[dict[str, Any]]:
    """The newest of the user's texts that hold all terms, in allowed sessions: at most `CANDIDATES`.

    Each with `session_id`, `message_id` (None for a title), `active_at` and how well it matches, `rank` from 0 to 1.
    """
    find = _postgres if connection.vendor == "postgresql" else _sqlite
    return find(user, terms, allowed)


def _postgres(user: Person, terms: Sequence[Term], allowed: "QuerySet[ChatSession]") -> list[dict[str, Any]]:
    query = " & ".join(tsquery(term) for term in terms)
    texts = SearchEntry.objects.filter(user_id=user.pk)[: NEWEST[-1] + 1].count()  # type: ignore[misc]  # see `_key`
    for newest in NEWEST:
        found = _matching(NEWEST_TEXTS, [user.pk, newest], query, allowed)
        if len(found) >= ENOUGH or texts <= newest:
            return found
    return _matching(INDEXED_TEXTS, [f"':{user.pk}'", query], query, allowed)


def tsquery(term: Term) -> str:
    # A word has no quote and no backslash: both separate words.
    phrase = " <-> ".join(f"'{word}'" for word in term.words)
    return f"({phrase}{':*' if term.is_prefix else ''})"


def _matching(
    texts: str, of_texts: Sequence[Any], query: str, allowed: "QuerySet[ChatSession]"
) -> list[dict[str, Any]]:
    """The newest of the entries `texts` that match, in allowed sessions, with how well, from 0 to 1."""
    try:
        sessions, of_sessions = allowed.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:  # Django sees that no session can be allowed
        return []
    with connection.cursor() as cursor:
        statement = MATCHING.format(texts=texts, sessions=sessions)
        cursor.execute(statement, [query, *of_texts, query, *of_sessions, CANDIDATES])
        names = ("session_id", "message_id", "active_at", "rank")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _sqlite(user: Person, terms: Sequence[Term], allowed: "QuerySet[ChatSession]") -> list[dict[str, Any]]:
    match = f"owner:{user.pk} AND body:({phrases(terms)})"
    matching = RawSQL("SELECT rowid FROM chats_searchtext WHERE chats_searchtext MATCH %s ORDER BY rowid DESC", [match])
    newest = list(
        SearchEntry.objects.filter(pk__in=matching, session__in=allowed)
        .order_by("-pk")
        .annotate(active_at=F("session__last_activity_at"))
        .values("pk", "session_id", "message_id", "active_at")[:CANDIDATES]
    )
    scores = _bm25(match, [row["pk"] for row in newest])
    return [{**row, "rank": scores.get(row["pk"], 0.0)} for row in newest]


def phrases(terms: Sequence[Term]) -> str:
    return " AND ".join('"' + " ".join(term.words) + '"' + ("*" if term.is_prefix else "") for term in terms)


def _bm25(match: str, entries: Sequence[int]) -> dict[int, float]:
    """How well each entry matches, from 0 to 1."""
    if not entries:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rowid, bm25(chats_searchtext, 0.0, 1.0) FROM chats_searchtext"
            " WHERE chats_searchtext MATCH %s AND rowid BETWEEN %s AND %s",
            [match, min(entries), max(entries)],
        )
        return {rowid: -weight / (1 - weight) for rowid, weight in cursor.fetchall()}
