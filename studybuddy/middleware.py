"""What stands before every page: answers for probes, and a line in the log."""

import uuid
from collections.abc import Callable
from typing import Any

import structlog
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user_model
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware
from django_structlog.middlewares import RequestMiddleware

from core.database import AWAY
from core.ids import parse_uuid
from studybuddy import health
from studybuddy.errors import unavailable

UNSEEN = ("/health", "/metrics")
LOGGED_IDS = ("session_id", "message_id", "reply_id", "course_id", "document_id")


@sync_and_async_middleware
def probe_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answers health checks, and Prometheus with its token, whatever host they name.

    They come from inside, to a process's own address, which is none of ALLOWED_HOSTS.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> Any:
            view = _probe(request)
            return await get_response(request) if view is None else await sync_to_async(view)(request)

        return answer_async

    def answer(request: HttpRequest) -> Any:
        return (_probe(request) or get_response)(request)

    return answer


def _probe(request: HttpRequest) -> Callable[[HttpRequest], Any] | None:
    path = request.path_info.rstrip("/")
    if path == "/metrics" and "Authorization" in request.headers:
        return health.metrics_by_token
    return {"/health": health.alive, "/health/ready": health.ready}.get(path)


class RequestLogMiddleware(RequestMiddleware):
    """One line per request: its id, method, route, status and user, and the ids in its path.

    The route stands for the path, since paths carry reset keys and join codes, and query strings what people search.
    A request that finds the database away is answered here: each further question of it would wait for the database
    as long as the first, and with DEBUG Django would answer with all that it knows.
    """

    def prepare(self, request: HttpRequest) -> None:
        try:
            super().prepare(request)
        except AWAY as error:
            request.away = error  # type: ignore[attr-defined]

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        match = request.resolver_match
        return f"{request.method} {'/' + match.route if match else '(no such page)'}"

    @staticmethod
    def bind_user_id(request: HttpRequest) -> None:
        if not hasattr(request, "away") and (user_id := _user_id(request)) is not None:
            structlog.contextvars.bind_contextvars(user_id=user_id)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        ids = {name: _spelt(kwargs[name]) for name in LOGGED_IDS if name in kwargs}
        structlog.contextvars.bind_contextvars(**{name: value for name, value in ids.items() if value})
        return unavailable(request, request.away) if hasattr(request, "away") else None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return unavailable(request, error)


def _user_id(request: HttpRequest) -> Any:
    """Whose request it is, without asking for the user: the log must not be what waits for the database."""
    if getattr(request, "auth", None) is not None:
        return request.user.pk
    # Health checks must not ask for a session either; without a cookie there is none to ask for.
    known = request.session.get(SESSION_KEY) if _has_session(request) else None
    return None if known is None else get_user_model()._meta.pk.to_python(known)


def _has_session(request: HttpRequest) -> bool:
    return settings.SESSION_COOKIE_NAME in request.COOKIES and not request.path.startswith(UNSEEN)


def _spelt(value: object) -> str:
    """An id as text, or nothing: callers may put names of their own in its place, and those are theirs."""
    found = value if isinstance(value, uuid.UUID) else parse_uuid(value)
    return str(found) if found else ""
