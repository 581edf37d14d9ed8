"""django-tasks' worker, which also sees to it that documents whose worker died are read, that passages without vectors
get them once there is a model to ask, and that daily jobs are due.
"""

import threading
from argparse import ArgumentParser
from typing import Any

import structlog
from django.db import DatabaseError, connection
from django_tasks_db.management.commands.db_worker import Command as WorkerCommand

from core import schedule
from courses import tasks

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0


class Command(WorkerCommand):
    help = "Run background tasks: reading of uploaded material and upkeep."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(reload=False)

    def handle(self, *args: Any, **options: Any) -> None:
        requeue()
        stopped = threading.Event()
        upkeep = threading.Thread(target=keep_requeuing, args=[stopped], name="requeue-stale", daemon=True)
        upkeep.start()
        try:
            super().handle(*args, **options)
        finally:
            stopped.set()
            upkeep.join(timeout=5)


def keep_requeuing(stopped: threading.Event) -> None:
    while not stopped.wait(EVERY_SECONDS):
        requeue()
        connection.close()


def requeue() -> None:
    """Enqueue what dead workers left, and today's jobs. A database that is away now is there the next time."""
    try:
        schedule.ensure()
        count = tasks.requeue_stale()
        tasks.embed_soon()
    except DatabaseError as error:
        log.warning("could not look for stale documents", error=type(error).__name__)
    else:
        if count:
            log.info("documents enqueued again", count=count)
