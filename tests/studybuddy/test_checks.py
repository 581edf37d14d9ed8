"""Settings that start but can't work are named by `manage.py check`, with what to do."""

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCTION = {
    "SECRET_KEY": "kR7vQx2mN9pL4wT8zB3cF6hJ1sD5gA0yE-uI_oPqW7eXzYbVn-plus-more",
    "ALLOWED_HOSTS": "chat.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://chat.example.org",
    "DATABASE_URL": "postgres://studybuddy:password@127.0.0.1:1/studybuddy",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "TRUSTED_PROXY_TLS": "true",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.org:587",
    "METRICS_TOKEN": "a-token-that-nobody-guesses",
}


def test_the_documented_production_settings_are_clean() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "LOG_LEVEL": "ERROR", **PRODUCTION},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_one_s_own_machine_is_told_of_no_issue_either() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "DEBUG": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no issues" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("changed", "check_id", "hint"),
    [
        ({"EMBEDDING_MODEL": "text-embedding-3-small"}, "studybuddy.E001", "OPENAI_BASE_URL"),
        ({"MODEL_PRICES": {"gpt-5-mini": 3}}, "studybuddy.E002", "MODEL_PRICES="),
        ({"MODEL_PRICES": {"gpt-5-mini": [1, -1]}}, "studybuddy.E002", "MODEL_PRICES="),
        (
            {"SOCIALACCOUNT_PROVIDERS": {"openid_connect": {"APPS": [{"name": "University"}]}}},
            "studybuddy.E003",
            "provider_id",
        ),
        ({"RUNNER_LEASE_SECONDS": 1, "REPLY_JOURNAL_MS": 900}, "studybuddy.E004", "five times"),
        ({"REPLY_SILENCE_SECONDS": 200}, "studybuddy.W001", "shorter"),
        (
            {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3"}}, "REDIS_URL": "redis://localhost"},
            "studybuddy.W002",
            "DATABASE_URL=postgres",
        ),
        (
            {"DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql"}}, "REDIS_URL": ""},
            "studybuddy.W003",
            "REDIS_URL=redis",
        ),
        ({"ALLOWED_HOSTS": ["localhost"]}, "studybuddy.W004", "ALLOWED_HOSTS="),
        ({"SECURE_SSL_REDIRECT": True, "SECURE_PROXY_SSL_HEADER": None}, "studybuddy.W005", "TRUSTED_PROXY_TLS=true"),
        ({"METRICS_TOKEN": "short"}, "studybuddy.W006", "METRICS_TOKEN="),
        ({"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}, "studybuddy.W007", "EMAIL_URL="),
    ],
)
def test_a_wrong_combination_is_named_with_a_hint(
    settings: Settings, changed: dict[str, Any], check_id: str, hint: str
) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert check_id not in messages()
    for name, value in changed.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Django warns that tests can't really change DATABASES
            setattr(settings, name, value)
    assert hint in messages()[check_id]


def messages() -> dict[str, str]:
    """The site's own findings: their ids and what each says."""
    found = run_checks(include_deployment_checks=True)
    return {str(one.id): f"{one.msg} {one.hint}" for one in found if str(one.id).startswith("studybuddy.")}
