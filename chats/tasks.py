"""What the background worker does for conversations, each day."""

from django_tasks import task

from chats.services import figures, retention
from core import schedule


@task
def clear_away(day: str) -> None:
    """Retention by the site's and the courses' rules."""
    schedule.run("retention", day, lambda: retention.clean(retention.site_rules(), scheduled=True))


@task
def add_up(day: str) -> None:
    """The dashboard's figures of the days that have none yet."""
    schedule.run("figures", day, figures.catch_up)


schedule.register("retention", hour=3, task=clear_away)
schedule.register("figures", hour=0, task=add_up)
