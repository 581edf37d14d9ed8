from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class StudyBuddyConfig(AppConfig):
    name = "studybuddy"

    def ready(self) -> None:
        from studybuddy import checks  # noqa: F401


class SiteAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "studybuddy.admin_site.SiteAdmin"
