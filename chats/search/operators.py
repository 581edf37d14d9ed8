"""Search in everybody's conversations, for those who run the site."""

from uuid import UUID

from django.db import connection
from django.db.models.expressions import RawSQL

from chats.models import SearchEntry
from chats.search.terms import parse
from chats.search.texts import ENOUGH, phrases, tsquery

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


def anybodys(query: str) -> list[UUID]:
    """Conversations in which `query` occurs, whosoever they are, newest texts first, for operators: ids, at most 1,000.

    A word that many of the newest texts hold is common, and these will do.
    """
    terms = parse(query)
    if not terms:
        return []
    if connection.vendor != "postgresql":
        match = f"body:({phrases(terms)})"
        rowids = "SELECT rowid FROM chats_searchtext WHERE chats_searchtext MATCH %s ORDER BY rowid DESC LIMIT %s"
        entries = SearchEntry.objects.filter(pk__in=RawSQL(rowids, [match, ANYBODYS]))  # noqa: S611 - a parameter
        return list(dict.fromkeys(entries.order_by("-pk").values_list("session_id", flat=True)))
    query = " & ".join(tsquery(term) for term in terms)
    found: list[UUID] = []
    with connection.cursor() as cursor:
        for statement, parameters in ((ANYBODYS_NEWEST, [10_000, query]), (ANYBODYS_INDEXED, [query])):
            if len(found) < ENOUGH:
                cursor.execute(statement, [*parameters, ANYBODYS])
                found = [session_id for (session_id,) in cursor.fetchall()]
    return list(dict.fromkeys(found))
