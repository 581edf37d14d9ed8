"""Removes everything about a person, with a receipt."""

import argparse
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from chats.services import erasure


class Command(BaseCommand):
    help = "Remove a person's account, conversations and everything else about them, and print a receipt of counts."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--dry-run", action="store_true", help="count and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no account with the name {options['username']!r}.")
        receipt = erasure.purge(user=user, dry_run=options["dry_run"])
        self.stdout.write("Would be removed:" if options["dry_run"] else "Removed:")
        for name, count in receipt.items():
            self.stdout.write(f"  {name}: {count}")
