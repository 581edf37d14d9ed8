"""What the database holds once everything has come to rest, against what students were promised."""

import statistics
from typing import Any

from benchmarks.fault_students import Ledger

PROMISES = (
    "acknowledged_lost",
    "duplicated",
    "not_final",
    "order_errors",
    "complete_but_not_whole",
    "left_in_the_journal",
    "tokens_still_reserved",
    "students_left_waiting",
)


def is_kept(result: dict[str, Any]) -> bool:
    return not any(result[promise] for promise in PROMISES)


def audit(ledger: Ledger, whole: str) -> dict[str, Any]:
    """What the database holds, against what was promised."""
    from django.db import connections
    from django.db.models import Count, Sum

    from chats.models import Message, ReplyChunk, Usage

    connections.close_all()  # this thread may have one from before the database was restarted
    questions = Message.objects.filter(role="user")
    stored = {
        (str(session), client_id): str(pk)
        for pk, session, client_id in questions.values_list("pk", "session_id", "client_id")
    }
    doubled = questions.values("session_id", "content").annotate(n=Count("pk")).filter(n__gt=1)
    replies = Message.objects.filter(role="assistant")
    answered_twice = replies.values("parent_id").annotate(n=Count("pk")).filter(n__gt=1)
    silences = sorted(ledger.silences)
    return {
        "questions_acknowledged": len(ledger.acknowledged),
        "replies": dict(replies.values_list("state").annotate(n=Count("pk")).order_by()),
        "failed_after": [
            f"{n} × {code or 'no code'}, attempt {attempt}"
            for code, attempt, n in replies.filter(state="failed")
            .values_list("error_code", "attempt")
            .annotate(n=Count("pk"))
            .order_by("error_code", "attempt")
        ],
        "attempts_beyond_the_first": sum(n - 1 for n in replies.values_list("attempt", flat=True) if n > 1),
        "acknowledged_lost": sum(stored.get(key) != message for key, message in ledger.acknowledged.items()),
        "duplicated": doubled.count() + answered_twice.count(),
        "not_final": replies.running().count(),
        "given_up_shorter_than_shown": ledger.cut_short,
        "order_errors": len(ledger.disorder),
        "order_errors_seen": ledger.disorder[:10],
        "complete_but_not_whole": replies.filter(state="complete").exclude(content=whole).count(),
        "left_in_the_journal": ReplyChunk.objects.exclude(reply__state__in=["queued", "streaming"]).count(),
        "tokens_still_reserved": Usage.objects.aggregate(sum=Sum("reserved_tokens"))["sum"] or 0,
        "students_left_waiting": ledger.stuck,
        "silences": len(silences),
        "recovery_seconds_mean": round(statistics.fmean(silences), 2) if silences else 0,
        "recovery_seconds_p95": round(silences[int(0.95 * (len(silences) - 1))], 2) if silences else 0,
        "recovery_seconds_worst": round(silences[-1], 2) if silences else 0,
    }
