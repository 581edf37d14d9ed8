"""What the commands that start the site have in common: where it listens, and one line for what keeps it from it."""

import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.checks import run_checks
from django.core.management.base import BaseCommand, CommandError


class StartCommand(BaseCommand):
    """A command with `--host` and `--port` that a wrong setting stops with one line."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="default: %(default)s (HOST)")
        parser.add_argument("--port", default=settings.PORT, type=int, help="default: %(default)s (PORT)")

    def check(self, *args: Any, **kwargs: Any) -> None:
        for problem in run_checks():
            if problem.is_serious() and not problem.is_silenced():
                raise CommandError(" ".join(f"{problem.msg} {problem.hint or ''}".split()))
        super().check(*args, **kwargs)


def refuse_occupied(host: str, port: int) -> None:
    """Raise CommandError with one line that helps when nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            other = f"PORT={port + 1}" if 0 < port < 65535 else "PORT=8000"
            raise CommandError(
                f"Can't listen on {host}:{port}: {reason}. Choose another with HOST=127.0.0.1 or {other}."
            ) from None
