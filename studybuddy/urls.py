"""Where everything is found."""

from django.contrib import admin
from django.urls import include, path, re_path

from core.api.routes import Nothing
from studybuddy import health

handler404 = "studybuddy.errors.page_not_found"
handler500 = "studybuddy.errors.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    re_path(r"^health/?$", health.alive, name="health"),
    re_path(r"^health/ready/?$", health.ready, name="health-ready"),
    re_path(r"^metrics/?$", health.metrics, name="metrics"),
    path("accounts/", include("studybuddy.accounts")),
    path("accounts/", include("allauth.urls")),
    path("api", Nothing.as_view()),
    path("api/", include(("studybuddy.api", "api"))),
    path("", include("courses.urls")),
    path("", include("chats.urls")),
]
