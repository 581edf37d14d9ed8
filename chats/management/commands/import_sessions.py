"""Bring conversations in from a file: our own backup, ChatGPT's conversations.json, or Open WebUI's export."""

from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chats.services import imports
from core.errors import Invalid


class Command(BaseCommand):
    help = "Store the conversations of a file. All of them, or none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="JSON or JSON Lines.")
        parser.add_argument(
            "--user", metavar="USERNAME", help="Whose they become (else of the owners in our own file)."
        )
        parser.add_argument("--format", choices=imports.FORMATS, default="auto", help="What wrote the file.")
        parser.add_argument(
            "--create-missing",
            action="store_true",
            help="Make accounts (without a password) and courses (without material) that are named and not here.",
        )

    def handle(
        self,
        *args: Any,
        file: str,
        user: str | None,
        format: str,  # noqa: A002 - its name
        create_missing: bool,
        **options: Any,
    ) -> None:
        owner = None if user is None else User.objects.filter(username=user).first()
        if user is not None and owner is None:
            raise CommandError(f"There is no account called {user!r}.")
        try:
            with Path(file).open("rb") as opened:
                made = imports.restore(file=opened, user=owner, kind=format, makes_missing=create_missing)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from None
        except Invalid as error:
            raise CommandError(f"Nothing was imported. {error.detail}") from None
        self.stdout.write(f"{len(made)} conversations imported{f' for {user}' if user else ''}.")
