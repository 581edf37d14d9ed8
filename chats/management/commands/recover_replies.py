"""`manage.py recover_replies`: queue again what a dead process left."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chats.replies.lease import Watch, sweep_lock_file
from chats.services import leases


class Command(BaseCommand):
    help = (
        "Queue the replies of processes that died; a web process then makes them. Web processes do this by themselves."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")

    def handle(self, *, dry_run: bool, **_: Any) -> None:
        dead = self.dead_runners()
        seen = leases.survey(grace_seconds=0)
        lost = leases.count_streaming([runner_id for runner_id, _ in dead]) + len(seen.orphaned)
        self.stdout.write(
            f"Dead runners: {len(dead)}. Replies to recover: {lost}. Replies waiting: {len(seen.queued)}."
        )
        if dry_run:
            return
        queued = leases.adopt(seen.orphaned)
        for runner_id, heartbeat_at in dead:
            queued += leases.take_over(runner_id=runner_id, heartbeat_at=heartbeat_at)
            sweep_lock_file(runner_id)
        self.stdout.write(f"Queued again: {len(queued)}. Ended after too many attempts: {lost - len(queued)}.")

    def dead_runners(self) -> list[tuple[Any, Any]]:
        """Those whose lock is free, or whose heartbeat stands still while we look."""
        watch = Watch()
        deadline = time.monotonic() + settings.RUNNER_LEASE_SECONDS + 1
        while True:
            seen = leases.survey(grace_seconds=0)
            judged = [(runner, watch.is_dead(*runner)) for runner in seen.runners]
            undecided = [runner for runner, is_dead in judged if not is_dead and watch.may_be_dead(runner[0])]
            if not undecided or time.monotonic() > deadline:
                return [(runner[0], runner[2]) for runner, is_dead in judged if is_dead]
            time.sleep(0.25)
