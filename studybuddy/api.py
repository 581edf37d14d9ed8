"""The whole API under one roof: its addresses and its description."""

from functools import cache

from csp.decorators import csp_update
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path, reverse
from django.views.decorators.cache import cache_control
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView

from core.api.routes import Nothing, both

# Swagger UI and ReDoc style themselves from script and draw data: images; ReDoc searches in a worker it makes itself.
documented = csp_update({"style-src": ["'unsafe-inline'"], "img-src": ["data:"], "worker-src": ["blob:"]})

REDOC = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
NO_IMAGE = b"data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="


class Redoc(SpectacularRedocView):
    """ReDoc without other hosts: no fonts from elsewhere, and its logo not fetched."""

    url_name = "api:schema"
    template_name = "api_redoc.html"

    @staticmethod
    def _redoc_standalone() -> str:
        return reverse("api:redoc-script")


@cache_control(public=True, max_age=24 * 3600)
def redoc_script(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_redoc_without_logo(), content_type="text/javascript; charset=utf-8")


@cache
def _redoc_without_logo() -> bytes:
    found = finders.find(REDOC)
    with open(str(found), "rb") as file:  # noqa: PTH123 - a finder gives a path as text
        return file.read().replace(LOGO, NO_IMAGE)


urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("core.api.urls")),
    path("", include("courses.api.urls")),
    path("", include("chats.api.urls")),
    *both("schema", SpectacularAPIView.as_view(), "schema"),
    *both("docs", documented(SpectacularSwaggerSplitView.as_view(url_name="api:schema")), "docs"),
    *both("redoc", documented(Redoc.as_view()), "redoc"),
    path("redoc/script.js", redoc_script, name="redoc-script"),
    re_path(r"", Nothing.as_view()),
]
