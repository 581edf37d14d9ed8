"""A wrong setting stops the start with one line that helps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("DEBUG", "perhaps", "DEBUG must be true or false. Example: DEBUG=true"),
        ("PORT", "eighty", "PORT must be a whole number"),
        ("PORT", "70000", "PORT must be a whole number, from 0 to 65535"),
        ("DATABASE_URL", "mysql://root@localhost/x", "DATABASE_URL must begin with postgres:// or sqlite:///"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL must be a URL"),
        ("CORS_ALLOWED_ORIGINS", "example.org", "CORS_ALLOWED_ORIGINS has 'example.org'"),
        ("OIDC_PROVIDERS", "{}", "OIDC_PROVIDERS must be a JSON list"),
        ("THROTTLE_SEND", "often", "THROTTLE_SEND must be a number per"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be one of console, json"),
    ],
)
def test_wrong_setting_gives_one_line_that_names_it_and_shows_a_right_one(name: str, value: str, hint: str) -> None:
    done = run("check", **{"DEBUG": "true", name: value})
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith(f"Settings: {hint}")
    assert "Example: " in done.stderr


def test_without_debug_a_secret_key_is_required() -> None:
    done = run("check", DEBUG="false", SECRET_KEY="")
    assert done.returncode == 1
    assert "SECRET_KEY is required without DEBUG" in done.stderr


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **settings}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
