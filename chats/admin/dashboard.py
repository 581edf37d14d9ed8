"""The admin's front page: how the site is used, what it costs, how quick it is, what goes wrong."""

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpRequest

from chats import charts
from chats.models import DailyFigures, Message
from chats.services import figures
from chats.services.costs import cost
from courses.models import Document

SPANS = (7, 30, 90)


def context(request: HttpRequest) -> dict[str, Any]:
    """What the front page shows to those who may see the figures; nothing for others."""
    if not request.user.has_perm("chats.view_dailyfigures"):
        return {"dashboard": None}
    span = next((days for days in SPANS if str(days) == request.GET.get("days")), 30)
    rows = figures.latest(span)
    return {
        "dashboard": {
            "span": span,
            "spans": SPANS,
            "charts": [*_use(rows), _cost(rows), _speed(rows), _failures(rows), _ingestion(rows)],
            "errors": sum((Counter(row.errors) for row in rows), Counter()).most_common(10),
            "courses": figures.top_courses(span),
            "running": Message.objects.running().count(),
            "unread": Document.objects.filter(state__in=["pending", "processing"]).count(),
        }
    }


def _use(rows: list[DailyFigures]) -> list[charts.Chart]:
    days = _days(rows)
    plain = [("Questions", "questions"), ("New conversations", "sessions"), ("Active students", "students")]
    found = []
    for title, name in plain:
        values = [float(getattr(row, name)) for row in rows]
        # Who asked on two days is one student, so days of students are not added up.
        headline = f"{max(values):,.0f} at most" if name == "students" else f"{sum(values):,.0f}"
        found.append(charts.bars(title=title, headline=headline, days=days, values=values))
    tokens = [float(row.prompt_tokens + row.completion_tokens) for row in rows]
    found.append(charts.bars(title="Tokens", headline=f"{sum(tokens):,.0f}", days=days, values=tokens))
    return found


def _cost(rows: list[DailyFigures]) -> charts.Chart:
    values = [float(_cost_of(row)) for row in rows]
    return charts.bars(
        title="Cost", headline=f"${sum(values):,.2f}", days=_days(rows), values=values, unit="$", decimals=2
    )


def _cost_of(row: DailyFigures) -> Decimal:
    """Dollars by today's MODEL_PRICES; models without a price count nothing."""
    return sum((cost(model, *tokens) or Decimal(0) for model, tokens in row.tokens_by_model.items()), start=Decimal(0))


def _speed(rows: list[DailyFigures]) -> charts.Chart:
    known = [row.first_token_p95_ms for row in rows if row.first_token_p95_ms is not None]
    return charts.lines(
        title="Time to the first token",
        headline=f"{known[-1]:,} ms" if known else "no replies yet",
        note="p95 of the latest day with replies; the line below is p50" if known else "",
        days=_days(rows),
        series={"p50": [row.first_token_p50_ms for row in rows], "p95": [row.first_token_p95_ms for row in rows]},
        unit="ms",
    )


def _failures(rows: list[DailyFigures]) -> charts.Chart:
    replies, failed = sum(row.replies for row in rows), sum(row.failed for row in rows)
    values = [100 * row.failed / row.replies if row.replies else 0.0 for row in rows]
    headline = f"{100 * failed / replies:.1f} %" if replies else "no replies yet"
    return charts.bars(title="Failed replies", headline=headline, days=_days(rows), values=values, unit="%", decimals=1)


def _ingestion(rows: list[DailyFigures]) -> charts.Chart:
    values = [float(row.ingestion_failures) for row in rows]
    return charts.bars(
        title="Documents that could not be read", headline=f"{sum(values):,.0f}", days=_days(rows), values=values
    )


def _days(rows: list[DailyFigures]) -> list[date]:
    return [row.day for row in rows]
