"""Whether the site lives, whether it can work, and its figures for Prometheus."""

import hmac
from collections.abc import Callable, Iterator

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import core.metrics  # noqa: F401 - its figures exist from the first scrape on
from chats.models import Message, Runner
from core.redis import redis_errors
from courses.models import Document

log = structlog.get_logger(__name__)

LAYER_TIMEOUT_SECONDS = 2


@never_cache
@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """The process answers. Asks nobody else, so that a database's trouble does not get web processes restarted."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when everything that the site stands on answers, else 503 that says what does not."""
    found: dict[str, str] = {}
    for name, check in CHECKS.items():
        # Another question would wait for a database that is away as long as the first.
        lost = name == "migrations" and found["database"] != "ok"
        found[name] = "not asked: the database is away" if lost else check()
    healthy = all(state == "ok" for state in found.values())
    if not healthy:
        log.warning("not ready", **found)
    return JsonResponse({"status": "ok" if healthy else "unavailable", "checks": found}, status=200 if healthy else 503)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures of this process, and of the whole site as the database has them at this moment."""
    user = request.user
    if user.is_authenticated and user.is_active and user.is_staff:
        return _figures()
    if user.is_authenticated:
        return JsonResponse({"detail": "Figures are for staff.", "code": "forbidden"}, status=403)
    return _unauthenticated()


@never_cache
@require_safe
def metrics_by_token(request: HttpRequest) -> HttpResponse:
    """The same for whoever sends METRICS_TOKEN as a bearer token."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    expected = settings.METRICS_TOKEN
    if scheme.lower() == "bearer" and expected and hmac.compare_digest(given.strip().encode(), expected.encode()):
        return _figures()
    return _unauthenticated()


class SiteCollector(Collector):
    """What all processes share: the queue of material, replies by state, runners."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        documents = GaugeMetricFamily("studybuddy_ingestion_queue", "Documents not ready yet.", labels=["state"])
        counted = dict(
            Document.objects.exclude(state="ready").values_list("state").annotate(Count("pk")).order_by("state")
        )
        for state in ("pending", "processing", "failed"):
            documents.add_metric([state], counted.get(state, 0))
        yield documents
        replies = GaugeMetricFamily("studybuddy_site_replies", "Unfinished replies of the site.", labels=["state"])
        counted = dict(Message.objects.running().values_list("state").annotate(Count("pk")).order_by("state"))
        for state in ("queued", "streaming"):
            replies.add_metric([state], counted.get(state, 0))
        yield replies
        yield GaugeMetricFamily("studybuddy_runners", "Processes that make replies.", value=Runner.objects.count())


def _figures() -> HttpResponse:
    site = CollectorRegistry()
    site.register(SiteCollector())
    return HttpResponse(generate_latest(REGISTRY) + generate_latest(site), content_type=CONTENT_TYPE_LATEST)


def _unauthenticated() -> HttpResponse:
    return JsonResponse(
        {"detail": "Sign in as staff, or send the METRICS_TOKEN as a bearer token.", "code": "unauthenticated"},
        status=401,
        headers={"WWW-Authenticate": "Bearer"},
    )


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return _says(error)
    return "ok"


def _migrations() -> str:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return _says(error)
    return f"{len(waiting)} to apply: run manage.py migrate" if waiting else "ok"


def _channel_layer() -> str:
    if not settings.REDIS_URL:
        return "ok"  # in memory: it lives with the process
    from redis import Redis

    away: tuple[type[Exception], ...] = (*redis_errors(), OSError)
    try:
        with Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=LAYER_TIMEOUT_SECONDS,
            socket_connect_timeout=LAYER_TIMEOUT_SECONDS,
        ) as redis:
            redis.ping()
    except away as error:
        return _says(error)
    return "ok"


def _says(error: Exception) -> str:
    # The message may hold host names and user names, and this page is open to all.
    return f"failed: {type(error).__name__}"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "channel_layer": _channel_layer,
}
