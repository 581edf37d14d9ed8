"""Full text in the database: which passages of a course hold the words of a question.

Two queries whatever the question: how many passages have each word, and the best candidates. FTS5 and its bm25 on
SQLite; on PostgreSQL, whose ranking knows no rarity, its saturating rank of each word times the rarity counted first.
"""

import json
import math
import threading
import uuid
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models.expressions import RawSQL

HEADING_WEIGHT = 2.0
# A word's passages are counted up to here: more common ones tell little anyway.
COUNTED = 2_000
# So many passages at most are looked at for single words of the question, those with the rarest words first,
LOOKED_AT = 1_500
# and so many of these, by which words they have, are ranked on PostgreSQL by how often they have them.
RANKED = 1_000
# Whose words' counts a process remembers, and how many of each.
REMEMBERED_SCOPES = 50
REMEMBERED_WORDS = 10_000


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look: a course, or only some of its documents; the languages that these are in.

    `version` is another one whenever anything there has changed; words are counted once for each.
    """

    course_id: uuid.UUID
    document_ids: tuple[uuid.UUID, ...] | None = None
    languages: tuple[str, ...] = ()
    version: Hashable = None

    @property
    def words(self) -> list[str]:
        """The words of which passages in scope have one in `search_scope`."""
        if self.document_ids is None:
            return [f"course{self.course_id.hex}"]
        return [f"document{document_id.hex}" for document_id in self.document_ids]


def rarity(scope: Scope, terms: Sequence[str]) -> dict[str, int]:
    """How many passages in scope have each term, at most COUNTED. One query, none if all are remembered."""
    if not terms or not scope.words:
        return {}
    known = _counted(scope)
    missing = [term for term in terms if term not in known]
    if missing:
        count = _postgres_rarity if connection.vendor == "postgresql" else _sqlite_rarity
        known.update(count(scope, missing))
    return {term: known[term] for term in terms}


_remembered: OrderedDict[Scope, dict[str, int]] = OrderedDict()
_lock = threading.Lock()


def _counted(scope: Scope) -> dict[str, int]:
    """What is known of the scope's words, to be added to."""
    if scope.version is None:
        return {}
    with _lock:
        known = _remembered.pop(scope, None)
        if known is None or len(known) > REMEMBERED_WORDS:
            known = {}
        _remembered[scope] = known
        if len(_remembered) > REMEMBERED_SCOPES:
            _remembered.popitem(last=False)
    return known


def candidates(scope: Scope, counts: Mapping[str, int], most: int) -> list[uuid.UUID]:
    """The ids of at most `most` passages that hold any of the terms in `counts` (what `rarity` gave), best first.

    One query. Who may see them, and whether their documents are ready, is for the caller to ask.
    """
    found = {term: count for term, count in counts.items() if count}
    if not found:
        return []
    return _postgres(scope, found, most) if connection.vendor == "postgresql" else _sqlite(scope, found, most)


def id_list(ids: Sequence[uuid.UUID]) -> str:
    """Ids as one value, for `listed`: a query for sixty needs no sixty parameters."""
    if connection.vendor == "postgresql":
        return f"{{{','.join(map(str, ids))}}}"
    return json.dumps([one.hex for one in ids])


def listed(ids: str) -> RawSQL:
    """The rows of what `id_list` made."""
    if connection.vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::uuid[])", [ids])
    return RawSQL("SELECT value FROM json_each(%s)", [ids])


def weight(passages: int, count: int) -> float:
    """What a term that `count` of `passages` passages have is worth: BM25's inverse document frequency."""
    return math.log(1 + (max(passages, count) - count + 0.5) / (count + 0.5))


def _rarest(counts: Mapping[str, int]) -> list[str]:
    """The rarest words, as many as have few enough passages altogether, but at least one."""
    rarest: list[str] = []
    so_far = 0
    for term in sorted(counts, key=lambda term: (counts[term], term)):
        so_far += counts[term]
        if rarest and so_far > LOOKED_AT:
            break
        rarest.append(term)
    return rarest


def _match(scope: Scope, expression: str) -> str:
    return f"scope : ({' OR '.join(scope.words)}) AND {{heading body}} : ({expression})"


def _quoted(terms: Sequence[str]) -> list[str]:
    # Terms are letters and digits, but "OR", "NEAR" and the like must be words here.
    return [f'"{term}"' for term in terms]


def _sqlite_rarity(scope: Scope, terms: Sequence[str]) -> dict[str, int]:
    one = """SELECT count(*) FROM (
        SELECT 1 FROM courses_passage_index WHERE courses_passage_index MATCH %s LIMIT %s)"""
    parameters = [value for term in _quoted(terms) for value in (_match(scope, term), COUNTED)]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([one] * len(terms)), parameters)
        return dict(zip(terms, (count for (count,) in cursor.fetchall()), strict=True))


def _sqlite(scope: Scope, counts: Mapping[str, int], most: int) -> list[uuid.UUID]:
    every = " AND ".join(_quoted(list(counts)))
    expression = " OR ".join([f"({every})", *_quoted(_rarest(counts))])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT entry.passage_id FROM (
                SELECT rowid, bm25(courses_passage_index, 0.0, %s, 1.0) AS score
                FROM courses_passage_index WHERE courses_passage_index MATCH %s ORDER BY score LIMIT %s
            ) found JOIN courses_passage_entry entry ON entry.id = found.rowid
            ORDER BY found.score, entry.passage_id
            """,
            [HEADING_WEIGHT, _match(scope, expression), most],
        )
        return [uuid.UUID(passage_id) for (passage_id,) in cursor.fetchall()]


# A term as each language of the course stems it; in quotes, as "or" is a word here.
STEMMED = """
    SELECT given.number, string_agg(DISTINCT '(' || query::text || ')', ' | ')::tsquery AS query
    FROM unnest(%(terms)s::text[]) WITH ORDINALITY AS given(term, number),
         unnest(%(languages)s::text[]) AS language,
         LATERAL websearch_to_tsquery(courses_search_configuration(language), '"' || given.term || '"') AS query
    WHERE numnode(query) > 0 GROUP BY given.number
"""


def _postgres_rarity(scope: Scope, terms: Sequence[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH word AS MATERIALIZED ({STEMMED})
            SELECT word.number, counted.passages FROM word, LATERAL (
                SELECT count(*) AS passages FROM (
                    SELECT FROM courses_passage
                    WHERE search @@ %(scope)s::tsquery AND search @@ word.query LIMIT %(counted)s
                ) bounded
            ) counted
            """,  # noqa: S608 - no values in it
            {**_given(scope, terms), "counted": COUNTED},
        )
        counts = dict(cursor.fetchall())
    return {term: counts.get(number, 0) for number, term in enumerate(terms, start=1)}


def _postgres(scope: Scope, counts: Mapping[str, int], most: int) -> list[uuid.UUID]:
    """Passages that have all words, or any of the rarest, by their weighted ranks.

    The index alone says which passage has which of the rarest words; only the RANKED best of these are looked into.
    """
    rarest = _rarest(counts)
    passages = max(counts.values()) * 4
    weights = [weight(passages, count) for count in counts.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH word AS MATERIALIZED (
                SELECT stemmed.query, given.weight, given.rare
                FROM ({STEMMED}) stemmed
                JOIN unnest(%(weights)s::float8[], %(rare)s::bool[]) WITH ORDINALITY AS given(weight, rare, number)
                USING (number)
            ), held AS (
                SELECT found.id, word.weight FROM word, LATERAL (
                    SELECT id FROM courses_passage
                    WHERE search @@ %(scope)s::tsquery AND search @@ word.query LIMIT %(counted)s
                ) found WHERE word.rare
                UNION ALL
                (SELECT id, %(every)s::float8 FROM courses_passage
                WHERE search @@ %(scope)s::tsquery AND search @@ (
                    SELECT string_agg('(' || query::text || ')', ' & ')::tsquery FROM word
                ) LIMIT %(ranked)s)
            ), best AS MATERIALIZED (
                SELECT id FROM held GROUP BY id ORDER BY sum(weight) DESC, id LIMIT %(ranked)s
            )
            SELECT id FROM (
                -- What is joined to it is a copy: unpacked once, however many words are looked for in it.
                SELECT id, passage.search || ''::tsvector AS search
                FROM best JOIN courses_passage passage USING (id) OFFSET 0
            ) unpacked
            ORDER BY (SELECT sum(weight * ts_rank(%(ranks)s::float4[], search, query, 1)) FROM word) DESC, id
            LIMIT %(most)s
            """,  # noqa: S608 - no values in it
            {
                **_given(scope, list(counts)),
                "weights": weights,
                "rare": [term in rarest for term in counts],
                "every": sum(weights),
                "counted": COUNTED,
                "ranked": RANKED,
                "ranks": [1 / (1 + HEADING_WEIGHT), 0.0, 0.0, 1.0],
                "most": most,
            },
        )
        return [passage_id for (passage_id,) in cursor.fetchall()]


def _given(scope: Scope, terms: Sequence[str]) -> dict[str, Any]:
    return {
        "scope": " | ".join(scope.words),
        "languages": sorted(set(scope.languages)) or ["english"],
        "terms": list(terms),
    }
