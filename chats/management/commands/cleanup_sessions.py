"""Clears conversations away by the site's rules, or by those given."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from chats.services import retention
from courses.models import Course


def days(text: str) -> int:
    if not text.isdecimal() or int(text) > 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return int(text)


class Command(BaseCommand):
    help = (
        "Soft-delete conversations idle longer than --inactive-days, remove for good those soft-deleted longer than "
        "--purge-days. With neither, the site's own rules hold: SESSION_RETENTION_DAYS, and 30 days for what was "
        "soft-deleted. A course with an end and retention days of its own follows these in every case. Pinned "
        "conversations stay."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--inactive-days", type=days, metavar="N")
        parser.add_argument("--purge-days", type=days, metavar="N")
        parser.add_argument("--course", metavar="CODE", default="", help="only conversations of this course")
        parser.add_argument("--include-pinned", action="store_true", help="pinned conversations too")
        parser.add_argument("--dry-run", action="store_true", help="count by course and change nothing")
        parser.add_argument("--batch-size", type=int, default=retention.BATCH, metavar="N")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["batch_size"] <= 10_000:
            raise CommandError("--batch-size must be from 1 to 10000.")
        if options["course"] and not Course.objects.filter(code=options["course"]).exists():
            raise CommandError(f"There is no course with the code {options['course']!r}.")
        rules = self._rules(options)
        due = retention.due(rules)
        if options["dry_run"]:
            self._say("would be soft-deleted", due.put_away)
            self._say("would be removed for good", due.purge)
            self.stdout.write("Nothing was changed.")
            return
        with tqdm(total=due.total, unit=" conversations", disable=not sys.stderr.isatty()) as bar:
            run = retention.clean(rules, batch_size=options["batch_size"], progress=bar.update)
        self.stdout.write(
            f"{run.soft_deleted} soft-deleted, {run.purged} removed for good with {run.messages} messages."
        )

    def _rules(self, options: dict[str, Any]) -> retention.Rules:
        chosen = {"course": options["course"], "include_pinned": options["include_pinned"]}
        if options["inactive_days"] is None and options["purge_days"] is None:
            site = retention.site_rules()
            return retention.Rules(inactive_days=site.inactive_days, purge_days=site.purge_days, **chosen)
        return retention.Rules(inactive_days=options["inactive_days"], purge_days=options["purge_days"], **chosen)

    def _say(self, what: str, counts: dict[str, int]) -> None:
        self.stdout.write(f"{sum(counts.values())} {what}")
        for code, count in counts.items():
            self.stdout.write(f"  {code}: {count}")
