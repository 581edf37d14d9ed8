"""`manage.py quickstart`: from a fresh checkout to a working site."""

import os
from argparse import ArgumentParser
from typing import Any

from studybuddy import setup
from studybuddy.processes import run_together
from studybuddy.starting import StartCommand, refuse_occupied


class Command(StartCommand):
    help = "Migrate, load the demo course into an empty site, and start a web process and a worker. Ctrl-C stops both."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--no-demo", action="store_true", help="load no demo course")

    def handle(self, *, host: str, port: int, no_demo: bool, **_: Any) -> None:
        refuse_occupied(host, port)
        setup.prepare(with_demo=not no_demo, say=self.stdout.write)
        lines = [f"StudyBuddy is on http://{host}:{port}", *setup.how_to_sign_in(), "Ctrl-C stops it."]
        self.stdout.write("\n" + "\n".join(lines) + "\n")
        os.environ.setdefault("LOG_LEVEL", "WARNING")  # what to sign in as must not scroll away
        raise SystemExit(
            run_together([["serve", "--host", host, "--port", str(port)], ["db_worker"]], say=self.stderr.write)
        )
