"""Full-text search over one's own messages and titles.

The database keeps the index in the transaction that writes a text (see `SearchEntry`), so search never lags behind.
A query is words that must all occur; "words in quotes" are a phrase; the last word, or one with a star, may go on.
Accents and case don't matter. What a search costs is bounded, whoever asks: at most `CANDIDATES` texts are ranked, the
newest that match.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from chats.models import ChatSession, Message, SearchEntry
from chats.querysets import Person

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
ANYBODYS = 1000
ANYBODYS_NEWEST = """
SELECT session_id FROM (SELECT * FROM chats_searchentry ORDER BY id DESC LIMIT %s) e
WHERE document @@ to_tsquery('simple', %s) ORDER BY id DESC LIMIT %s
"""
# The inner query stands for itself, so that the text index is asked and not every entry from the newest on.
ANYBODYS_INDEXED = """
SELECT session_id FROM (SELECT * FROM chats_searchentry WHERE document @@ to_tsquery('simple', %s) OFFSET 0) e
ORDER BY id DESC LIMIT %s
"""

QUERY_CHARACTERS = 400
QUERY_TERMS = 16
TEXTS_PER_SESSION = 3
SNIPPET_CHARACTERS = 200
INDEXED_CHARACTERS = 100_000
TITLE_WEIGHT = 2.0
# A conversation loses half of what its recency adds in this many days.
HALF_LIFE_DAYS = 30.0
RECENCY_WEIGHT = 0.6

# The same ranges as in the migration that made the index: what separates words besides spaces.
SEPARATORS = (
    "\\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xa9\xab-\xb4\xb6-\xb9\xbb-\xbf\xd7\xf7\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff"
    "\u2e00-\u2e7f\u3000-\u303f\ufe10-\ufe6f\uff00-\uff0f\U0001f000-\U0001faff"
)
WORD = re.compile(f"[^{SEPARATORS}]+")
SPACES = re.compile(r"\s+")
PIECE = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True)
class Term:
    """Words that follow each other; with `is_prefix` the last of them may go on."""

    words: tuple[str, ...]
    is_prefix: bool


@dataclass(frozen=True)
class Snippet:
    """A piece of a text in parts, each with whether it matched. Nothing in it is markup."""

    parts: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        return "".join(part for part, _ in self.parts)

    @property
    def html(self) -> SafeString:
        """Escaped, what matched inside <mark>."""
        return mark_safe(  # noqa: S308 - each part is escaped here
            "".join(f"<mark>{escape(part)}</mark>" if marked else escape(part) for part, marked in self.parts)
        )


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
    candidates = _postgres if connection.vendor == "postgresql" else _sqlite
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


def anybodys(query: str) -> list[UUID]:
    """Conversations in which `query` occurs, whosoever they are, newest texts first, for operators: ids, at most 1,000.

    A word that many of the newest texts hold is common, and these will do.
    """
    terms = parse(query)
    if not terms:
        return []
    if connection.vendor != "postgresql":
        match = f"body:({_phrases(terms)})"
        rowids = "SELECT rowid FROM chats_searchtext WHERE chats_searchtext MATCH %s ORDER BY rowid DESC LIMIT %s"
        entries = SearchEntry.objects.filter(pk__in=RawSQL(rowids, [match, ANYBODYS]))  # noqa: S611 - a parameter
        return list(dict.fromkeys(entries.order_by("-pk").values_list("session_id", flat=True)))
    query = " & ".join(_tsquery(term) for term in terms)
    found: list[UUID] = []
    with connection.cursor() as cursor:
        for statement, parameters in ((ANYBODYS_NEWEST, [10_000, query]), (ANYBODYS_INDEXED, [query])):
            if len(found) < ENOUGH:
                cursor.execute(statement, [*parameters, ANYBODYS])
                found = [session_id for (session_id,) in cursor.fetchall()]
    return list(dict.fromkeys(found))


def fold(text: str) -> str:
    """`text` in small letters without accents, as the index holds it."""
    text = text.lower()
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not "\u0300" <= c <= "\u036f")


def parse(query: str) -> list[Term]:
    """The terms of a query, all of which must occur."""
    pieces = list(PIECE.finditer(query[:QUERY_CHARACTERS]))[:QUERY_TERMS]
    terms = []
    for number, piece in enumerate(pieces):
        phrase, word = piece.group(1), piece.group(2)
        words = tuple(WORD.findall(fold(phrase or word or "")))
        goes_on = word is not None and (word.endswith("*") or number == len(pieces) - 1)
        if words:
            # One letter alone would match nearly everything.
            terms.append(Term(words, goes_on and (len(words[-1]) > 1 or not words[-1].isascii())))
    return terms


def _postgres(user: Person, terms: Sequence[Term], allowed: "QuerySet[ChatSession]") -> list[dict[str, Any]]:
    query = " & ".join(_tsquery(term) for term in terms)
    texts = SearchEntry.objects.filter(user_id=user.pk)[: NEWEST[-1] + 1].count()  # type: ignore[misc]  # see `_key`
    for newest in NEWEST:
        found = _matching(NEWEST_TEXTS, [user.pk, newest], query, allowed)
        if len(found) >= ENOUGH or texts <= newest:
            return found
    return _matching(INDEXED_TEXTS, [f"':{user.pk}'", query], query, allowed)


def _tsquery(term: Term) -> str:
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
    match = f"owner:{user.pk} AND body:({_phrases(terms)})"
    matching = RawSQL("SELECT rowid FROM chats_searchtext WHERE chats_searchtext MATCH %s ORDER BY rowid DESC", [match])
    newest = list(
        SearchEntry.objects.filter(pk__in=matching, session__in=allowed)
        .order_by("-pk")
        .annotate(active_at=F("session__last_activity_at"))
        .values("pk", "session_id", "message_id", "active_at")[:CANDIDATES]
    )
    scores = _bm25(match, [row["pk"] for row in newest])
    return [{**row, "rank": scores.get(row["pk"], 0.0)} for row in newest]


def _phrases(terms: Sequence[Term]) -> str:
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


def highlight(text: str, terms: Sequence[Term], most: int | None = None) -> Snippet:
    """`text`, or about `most` characters of it around the matches, in parts that match and parts that don't."""
    spans = _matches(text, terms)
    start, end = (0, len(text)) if most is None else _window(text, spans, most)
    parts: list[tuple[str, bool]] = [("… ", False)] if start else []
    at = start
    for first, last in spans:
        if first >= start and last <= end:
            parts += [(text[at:first], False), (text[first:last], True)]
            at = last
    parts.append((text[at:end] + (" …" if end < len(text) else ""), False))
    return Snippet(tuple((SPACES.sub(" ", part), marked) for part, marked in parts if part))


def _matches(text: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Where the words of the terms stand, in order."""
    spans = _words(text)
    whole = {term.words[0] for term in terms if len(term.words) == 1 and not term.is_prefix}
    begun = tuple(term.words[0] for term in terms if len(term.words) == 1 and term.is_prefix)
    marked = {place for place, (_, _, word) in enumerate(spans) if word in whole or word.startswith(begun)}
    for term in terms:
        length = len(term.words)
        if length > 1:
            for at, (_, _, word) in enumerate(spans):
                if word == term.words[0] and _stands_at(spans, at, term):
                    marked.update(range(at, at + length))
    return [spans[place][:2] for place in sorted(marked)]


def _words(text: str) -> list[tuple[int, int, str]]:
    """Each word as the index holds it, with where it begins and ends."""
    if text.isascii():  # folded at once: letters stay where they are
        return [(*found.span(), found.group()) for found in WORD.finditer(text.lower(), 0, INDEXED_CHARACTERS)]
    return [(*found.span(), fold(found.group())) for found in WORD.finditer(text, 0, INDEXED_CHARACTERS)]


def _stands_at(spans: Sequence[tuple[int, int, str]], at: int, term: Term) -> bool:
    words = [span[2] for span in spans[at : at + len(term.words)]]
    if len(words) < len(term.words) or words[:-1] != list(term.words[:-1]):
        return False
    return words[-1].startswith(term.words[-1]) if term.is_prefix else words[-1] == term.words[-1]


def _window(text: str, spans: Sequence[tuple[int, int]], most: int) -> tuple[int, int]:
    """The stretch of `most` characters that holds the most matches, widened to whole words."""
    if len(text) <= most:
        return 0, len(text)
    best, best_count, last = 0, 0, 0
    for number, (first, _) in enumerate(spans):
        while last < len(spans) and spans[last][1] <= first + most * 2 // 3:
            last += 1
        if last - number > best_count:
            best, best_count = first, last - number
    start = max(0, min(best - most // 4, len(text) - most))
    end = min(len(text), start + most)
    start = (text.find(" ", start, start + 20) + 1 or start) if start else 0
    cut = text.rfind(" ", end - 20, end)
    return start, cut if end < len(text) and cut > start else end
