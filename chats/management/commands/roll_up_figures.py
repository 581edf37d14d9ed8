"""Adds up the dashboard's figures of past days, for a database whose worker was away or that was just restored."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from chats.services import figures


class Command(BaseCommand):
    help = "Add up the dashboard's figures of the last days that have none yet. The background worker does so daily."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=figures.KEPT_UP_DAYS, metavar="N")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{figures.catch_up(days=options['days'])} days added up.")
