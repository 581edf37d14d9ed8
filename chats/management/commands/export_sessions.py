"""Back up conversations as JSON Lines, one conversation with all its branches in each line."""

import json
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from tqdm import tqdm

from chats.models import ChatSession
from chats.services import exports
from courses.models import Course


class Command(BaseCommand):
    help = "Write conversations to a file, from which import_sessions brings them back without loss."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", required=True, help="The file to write.")
        parser.add_argument("--user", action="append", default=[], metavar="USERNAME", help="Only theirs (repeatable).")
        parser.add_argument("--course", action="append", default=[], metavar="CODE", help="Only of it (repeatable).")
        parser.add_argument("--deleted", action="store_true", help="Deleted ones that can still be restored as well.")

    def handle(
        self, *args: Any, output: str, user: list[str], course: list[str], deleted: bool, **options: Any
    ) -> None:
        sessions = ChatSession.objects.all() if deleted else ChatSession.objects.present()
        users = get_user_model().objects.filter(username__in=user)
        courses = Course.objects.filter(code__in=course)
        self._all_known("account", user, users.values_list("username", flat=True))
        self._all_known("course", course, courses.values_list("code", flat=True))
        if user:
            sessions = sessions.filter(user__in=users)
        if course:
            sessions = sessions.filter(course__in=courses)
        path = Path(output)
        unfinished = path.with_name(f"{path.name}.part")
        # One transaction: every conversation as it was at one moment.
        with transaction.atomic(), unfinished.open("w", encoding="utf-8") as file:
            count = sessions.count()
            for document in tqdm(
                exports.documents(sessions, records=True), total=count, unit="conversation", disable=None
            ):
                file.write(json.dumps(document) + "\n")
        unfinished.chmod(0o600)  # it is all that people wrote
        unfinished.replace(path)
        self.stdout.write(f"{count} conversations written to {path}.")

    @staticmethod
    def _all_known(what: str, wanted: list[str], found: Any) -> None:
        if missing := sorted(set(wanted) - set(found)):
            raise CommandError(f"There is no {what} called {', '.join(missing)}.")
