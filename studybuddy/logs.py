"""Logs that say who did what and when, with ids only: never what somebody wrote, never a secret.

Three things would let text through if left as they come: paths (searches are in the query string, keys of password
resets in the path), local variables in tracebacks, and the second lines of database errors, which quote the row.
"""

import sys
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

if TYPE_CHECKING:
    from sentry_sdk.types import Event

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(*, level: str, form: str) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING: everything goes to stderr, as JSON lines or for eyes."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderers: list[Processor] = (
        [structlog.processors.ExceptionRenderer(as_data), structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.processors.ExceptionRenderer(as_lines),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            # They log paths; our middleware logs the same requests by their routes, failures with the traceback.
            "django.request": {"level": "CRITICAL"},
            # Their debug lines hold queries with their values, template contexts, request bodies: what students write.
            "django.db.backends": {"level": "INFO"},
            "django.template": {"level": "INFO"},
            "openai": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
            "uvicorn": {"level": "WARNING"},
            # A traceback a second while Redis is away; `core.broadcast` says once that it went, and that it is back.
            "channels_redis": {"level": "CRITICAL"},
        },
    }


def as_data(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """The exception chain for JSON: types, first lines, frames; no locals."""
    chain = _transform(exc_info)
    for part in _with_groups(chain):
        part["exc_value"] = first_line(part["exc_value"])
        part.pop("exc_notes", None)
    return chain


def as_lines(exc_info: ExcInfo) -> str:
    """The last exception of the chain and its frames, for reading."""
    kind, error, trace = exc_info
    return "".join(traceback.format_tb(trace)) + f"{kind.__module__}.{kind.__qualname__}: {first_line(str(error))}"


def first_line(text: str) -> str:
    return text.partition("\n")[0]


def without_request_details(event: "Event", _hint: dict[str, Any]) -> "Event":
    """What Sentry gets of a request: no query string, body, cookies or headers, and no text of the exception."""
    if "request" in event:
        event["request"] = {"method": event["request"].get("method")}
    for error in event.get("exception", {}).get("values", []):
        error["value"] = first_line(error.get("value") or "")
    event.pop("breadcrumbs", None)
    return event


_transform = ExceptionDictTransformer(show_locals=False, use_rich=False)


def _with_groups(chain: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = list(chain)
    for part in chain:
        for group in part.get("exceptions", []):
            found += _with_groups(group)
    return found
