"""Writes everything held about a person to one JSON file."""

import argparse
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from chats.models import ChatSession
from chats.services import disclosure


class Command(BaseCommand):
    help = "Write everything that the site holds about a person to one JSON file."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--output", required=True, type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no account with the name {options['username']!r}.")
        path: Path = options["output"]
        try:
            path.touch(mode=0o600)  # it is all that a person wrote
            path.chmod(0o600)
            # One transaction: everything as it was at one moment.
            with transaction.atomic(), path.open("w", encoding="ascii") as file:
                file.writelines(disclosure.export(user=user))
                count = ChatSession.objects.filter(user=user).count()
        except OSError as error:
            raise CommandError(f"{path} can't be written: {error.strerror}. Choose another --output.") from None
        self.stdout.write(f"{count} conversations written to {path}.")
