"""`manage.py run_scaled`, behind `make run-scaled`: the site on two web processes and a worker."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection

from studybuddy import setup
from studybuddy.processes import run_together
from studybuddy.starting import StartCommand, refuse_occupied


class Command(StartCommand):
    help = "Two web processes, on PORT and the one after it, and a worker, on a PostgreSQL and a Redis."

    def handle(self, *, host: str, port: int, **_: Any) -> None:
        if connection.vendor != "postgresql" or not settings.REDIS_URL:
            raise CommandError(
                "Set DATABASE_URL and REDIS_URL first. Example: make run-scaled"
                " DATABASE_URL=postgres://postgres@localhost:5432/studybuddy REDIS_URL=redis://localhost:6379/0"
            )
        ports = [port, port + 1]
        for each in ports:
            refuse_occupied(host, each)
        setup.prepare(with_demo=True, say=self.stdout.write)
        where = " and ".join(f"http://{host}:{each}" for each in ports)
        self.stdout.write("\n".join(["", f"StudyBuddy is on {where}", *setup.how_to_sign_in(), "Ctrl-C stops it.", ""]))
        web = [["serve", "--host", host, "--port", str(each)] for each in ports]
        raise SystemExit(run_together([*web, ["db_worker"]], say=self.stderr.write))
