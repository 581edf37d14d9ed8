"""How often one may ask: counted per person, or per address for those who are not signed in."""

from typing import Any

import structlog
from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from core.redis import redis_errors

log = structlog.get_logger(__name__)


class Throttle(SimpleRateThrottle):
    """One count for each kind of request: `send`, `upload`, `signin`, and `other` for the rest.

    A view says its kind by `throttle_kinds`, by action or by method in small letters. While the cache is away nobody is
    turned back: a limit that fails open costs less than a site that fails shut.
    """

    rate = "1/s"  # each request looks its rate up

    def allow_request(self, request: Request, view: Any) -> bool:
        kinds = getattr(view, "throttle_kinds", {})
        kind = kinds.get(getattr(view, "action", None) or (request.method or "").lower(), "other")
        return self.allows(request, kind, view)

    def allows(self, request: Request, kind: str, view: Any = None) -> bool:
        self.scope = kind
        self.num_requests, self.duration = self.parse_rate(getattr(settings, f"THROTTLE_{kind.upper()}"))
        try:
            return bool(super().allow_request(request, view))
        except redis_errors() as error:
            log.warning("throttle not counted", error=type(error).__name__)
            return True

    def get_cache_key(self, request: Request, view: Any) -> str:
        user = request.user
        who = f"user-{user.pk}" if user is not None and user.is_authenticated else self.get_ident(request)
        return f"throttle:{self.scope}:{who}"
