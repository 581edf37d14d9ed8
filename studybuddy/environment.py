"""Strict readers of settings from the environment: a wrong value stops the start with one line that helps."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured


class Environment:
    """Reads from the process's environment, then from a `.env` file; an empty value counts as not set."""

    def __init__(self, env_file: str) -> None:
        environ.Env.read_env(env_file)
        self._env = environ.Env()

    def text(self, name: str, default: str = "") -> str:
        return self._env.str(name, default="").strip() or default

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.text(name).lower()
        if value in ("1", "true", "yes", "on"):
            return True
        if value in ("0", "false", "no", "off"):
            return False
        if value:
            raise wrong(name, "must be true or false", f"{name}=true")
        return default

    def number(self, name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
        value = self.text(name)
        if not value:
            return default
        if not value.lstrip("-").isdecimal() or int(value) < least or (most is not None and int(value) > most):
            span = f"at least {least}" if most is None else f"from {least} to {most}"
            raise wrong(name, f"must be a whole number, {span}", f"{name}={default}")
        return int(value)

    def names(self, name: str, default: Sequence[str] = ()) -> list[str]:
        value = self.text(name)
        return [part.strip() for part in value.split(",") if part.strip()] if value else list(default)

    def origins(self, name: str) -> list[str]:
        found = self.names(name)
        for origin in found:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
                raise wrong(name, f"has {origin!r}, which is no origin", f"{name}=https://app.example.org")
        return [origin.rstrip("/") for origin in found]

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        value = self.text(name, default)
        for choice in choices:
            if value.lower() == choice.lower():
                return choice
        raise wrong(name, f"must be one of {', '.join(choices)}", f"{name}={default}")

    def url(self, name: str, schemes: Sequence[str], example: str) -> str:
        value = self.text(name)
        if value and urlsplit(value).scheme not in schemes:
            raise wrong(name, f"must be a URL that begins with {' or '.join(s + '://' for s in schemes)}", example)
        return value

    def json(self, name: str, default: Any, example: str) -> Any:
        value = self.text(name)
        if not value:
            return default
        try:
            found = json.loads(value)
        except ValueError:
            raise wrong(name, "must be JSON", example) from None
        if not isinstance(found, type(default)):
            kind = "list" if isinstance(default, list) else "object"
            raise wrong(name, f"must be a JSON {kind}", example)
        return found

    def database(self, name: str, default: str) -> dict[str, Any]:
        value = self.text(name, default)
        example = f"{name}=postgres://user:password@localhost:5432/studybuddy"
        if not value.startswith(("postgres://", "postgresql://", "sqlite:///")):
            raise wrong(name, "must begin with postgres:// or sqlite:///", example)
        try:
            return dict(self._env.db_url_config(value))
        except (ValueError, ImproperlyConfigured):
            raise wrong(name, "can't be read as a database URL", example) from None


def wrong(name: str, problem: str, example: str) -> ImproperlyConfigured:
    """One line: the setting, what is wrong with it, an example that is right. The value stays out: it may be secret."""
    return ImproperlyConfigured(f"{name} {problem}. Example: {example}")


def origins_of(providers: list[Any]) -> list[str]:
    """Where the sign-in servers among `OIDC_PROVIDERS` are, as far as their addresses can be read."""
    given = [one.get("settings") for one in providers if isinstance(one, dict)]
    parts = [urlsplit(str(one.get("server_url", ""))) for one in given if isinstance(one, dict)]
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts if part.scheme and part.netloc})
