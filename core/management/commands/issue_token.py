"""Print an API token for somebody, once."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import tokens
from core.errors import Invalid


class Command(BaseCommand):
    help = "Make an API token and print it. It is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="Whose token it is.")
        parser.add_argument("--days", type=int, help="How long it lives (default: as long as the site's tokens do).")
        parser.add_argument("--name", default="command line", help="What it is called on the account page.")

    def handle(self, *args: Any, username: str, days: int | None, name: str, **options: Any) -> None:
        user = get_user_model().objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active account called {username!r}.")
        try:
            _, secret = tokens.create(user=user, name=name, days=days)
        except Invalid as error:
            problems = (f"{field}: {' '.join(problem)}" for field, problem in error.errors.items())
            raise CommandError("; ".join(problems)) from None
        self.stdout.write(secret)
