"""System checks: combinations of settings that start but can't work as their operator means them to."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's own name

Apps = Sequence[AppConfig] | None


@register()
def check_model(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.EMBEDDING_MODEL and not (settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL):
        found.append(
            Error(
                "EMBEDDING_MODEL is set, but there is no model server to ask.",
                hint="Set OPENAI_API_KEY or OPENAI_BASE_URL, or leave EMBEDDING_MODEL empty for full-text search only.",
                id="studybuddy.E001",
            )
        )
    for model, prices in settings.MODEL_PRICES.items():
        if not (isinstance(prices, list) and len(prices) == 2 and all(_is_price(price) for price in prices)):
            found.append(
                Error(
                    f"MODEL_PRICES has no two prices for {model!r}.",
                    hint='Dollars per million prompt and completion tokens: MODEL_PRICES={"gpt-5-mini": [0.25, 2.0]}',
                    id="studybuddy.E002",
                )
            )
    return found


@register()
def check_sign_in(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    providers = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    return [
        Error(
            f"OIDC_PROVIDERS: provider {number} lacks {', '.join(missing)}.",
            hint='Each needs "provider_id", "name", "client_id", "secret" and "settings": {"server_url": "https://…"}.',
            id="studybuddy.E003",
        )
        for number, provider in enumerate(providers, 1)
        if (missing := list(_missing(provider)))
    ]


@register()
def check_replies(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.RUNNER_LEASE_SECONDS * 1000 < 5 * settings.REPLY_JOURNAL_MS:
        found.append(
            Error(
                "RUNNER_LEASE_SECONDS is too short for REPLY_JOURNAL_MS: healthy processes would lose their replies.",
                hint="Make the lease at least five times the journal's interval, such as 10 and 200.",
                id="studybuddy.E004",
            )
        )
    if settings.REPLY_SILENCE_SECONDS > settings.REPLY_TIMEOUT_SECONDS:
        found.append(
            Warning(
                "REPLY_SILENCE_SECONDS is longer than REPLY_TIMEOUT_SECONDS and so never used.",
                hint="Make it shorter, such as 30 and 120.",
                id="studybuddy.W001",
            )
        )
    return found


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """What is right on one's own machine and wrong in production."""
    return [*_check_scale(), *_check_edge(), *_check_mail()]


def _check_scale() -> Iterable[CheckMessage]:
    sqlite = "sqlite" in settings.DATABASES["default"]["ENGINE"]
    if sqlite and settings.REDIS_URL:
        yield Warning(
            "REDIS_URL is set, but the database is a SQLite file, which processes on other machines can't share.",
            hint="Set DATABASE_URL=postgres://… to run several web processes, or leave REDIS_URL empty for one.",
            id="studybuddy.W002",
        )
    if not sqlite and not settings.REDIS_URL:
        yield Warning(
            "Without REDIS_URL, web processes can't tell each other news, and throttles count per process.",
            hint="Set REDIS_URL=redis://localhost:6379/0 unless you run exactly one web process.",
            id="studybuddy.W003",
        )


def _check_edge() -> Iterable[CheckMessage]:
    if set(settings.ALLOWED_HOSTS) <= {"localhost", "127.0.0.1", "[::1]"}:
        yield Warning(
            "ALLOWED_HOSTS names only this machine: nobody else can reach the site.",
            hint="ALLOWED_HOSTS=chat.example.org",
            id="studybuddy.W004",
        )
    if settings.SECURE_SSL_REDIRECT and getattr(settings, "SECURE_PROXY_SSL_HEADER", None) is None:
        yield Warning(
            "Requests are redirected to https, but the site is not told which ones came that way.",
            hint="Put a proxy with TLS in front that sets X-Forwarded-Proto, and set TRUSTED_PROXY_TLS=true.",
            id="studybuddy.W005",
        )
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < 16:
        yield Warning(
            "METRICS_TOKEN is short enough to be guessed.",
            hint="METRICS_TOKEN=$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')",
            id="studybuddy.W006",
        )


def _check_mail() -> Iterable[CheckMessage]:
    if settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        yield Warning(
            "Without EMAIL_URL, password resets are printed to the log and reach nobody.",
            hint="EMAIL_URL=smtp+tls://user:password@mail.example.org:587",
            id="studybuddy.W007",
        )


def _is_price(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _missing(provider: object) -> Iterable[str]:
    if not isinstance(provider, dict):
        yield "everything: it must be an object"
        return
    for name in ("provider_id", "name", "client_id"):
        if not provider.get(name):
            yield name
    told = provider.get("settings")
    if not isinstance(told, dict) or not told.get("server_url"):
        yield "settings.server_url"
