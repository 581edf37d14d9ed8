"""Who may open a websocket: pages of this very site, as with forms."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

LOCAL = [".localhost", "127.0.0.1", "[::1]"]
PORTS = {"http": "80", "https": "443"}

Application = Callable[[Any, Any, Any], Awaitable[None]]


class SameOrigin:
    """Refuses, in the handshake, a host that isn't the site's and an origin that is neither that host nor trusted.

    What browsers send along with a cookie they send from any page: SameSite keeps other sites out, but not the
    neighbours under the same domain.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b"origin")}
        if welcome(headers.get(b"host", ""), headers.get(b"origin", "")):
            await self._application(scope, receive, send)
        else:
            await WebsocketDenier()(scope, receive, send)


def welcome(host: str, origin: str) -> bool:
    """Whether a page of `origin` may connect to `host`, both as in their headers."""
    domain, port = split_domain_port(host)
    allowed = settings.ALLOWED_HOSTS or (LOCAL if settings.DEBUG else [])
    if not domain or not validate_host(domain, allowed):
        return False
    try:
        page = urlsplit(origin)
        page_port = str(page.port or "")
    except ValueError:
        return False
    usual = PORTS.get(page.scheme, "")
    same = (page.hostname or "") == domain.strip("[]") and (page_port or usual) == (port or usual)
    return bool(usual) and (same or _is_trusted(page.scheme, page.netloc.lower()))


def _is_trusted(scheme: str, netloc: str) -> bool:
    trusted = (urlsplit(origin) for origin in settings.CSRF_TRUSTED_ORIGINS)
    return any(scheme == each.scheme and is_same_domain(netloc, each.netloc.lstrip("*")) for each in trusted)
