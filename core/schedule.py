"""Jobs of the background worker that are due once a day.

The task queue knows no calendar, so each job enqueues its own successor, and a row that is unique by job and day makes
that once, whoever else tries. A worker that was away for a week does one late run, not seven.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import structlog
from django.db import transaction
from django.utils import timezone
from django_tasks.base import Task

from core.models import ScheduledJob

log = structlog.get_logger(__name__)

DailyTask = Task[[str], None]


@dataclass(frozen=True)
class DailyJob:
    """`task` is called with the day as an ISO date, not before `hour` (UTC), and calls `run` with its work."""

    name: str
    hour: int
    task: DailyTask


_jobs: dict[str, DailyJob] = {}


def register(name: str, *, hour: int, task: DailyTask) -> None:
    _jobs[name] = DailyJob(name, hour, task)


def ensure() -> int:
    """Make sure that each job is due today or later. Safe to call often. Returns how many were not and are now."""
    today = _today()
    missing = [job for job in _jobs.values() if not ScheduledJob.objects.filter(job=job.name, day__gte=today).exists()]
    return sum(_schedule(job, today) for job in missing)


def run(name: str, day: str, work: Callable[[], object]) -> None:
    """Do the job's work for `day` and have the next day's ready, whatever becomes of this one."""
    _schedule(_jobs[name], max(date.fromisoformat(day), _today()) + timedelta(days=1))
    work()
    ScheduledJob.objects.filter(job=name, day=day).update(finished_at=timezone.now())
    log.info("daily job done", job=name, day=day)


@transaction.atomic
def _schedule(job: DailyJob, day: date) -> bool:
    _, is_new = ScheduledJob.objects.get_or_create(job=job.name, day=day)
    if is_new:
        due = datetime.combine(day, time(job.hour), UTC)
        job.task.using(run_after=due).enqueue(day.isoformat())
    return is_new


def _today() -> date:
    return timezone.now().astimezone(UTC).date()
