"""What agent frameworks keep about a person outside that person's own conversations."""

import json
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from chats.models import AgentRun


def runs_elsewhere(user: User) -> "QuerySet[AgentRun]":
    """Runs made for the person, by username or primary key, in conversations of programs that named no user."""
    return AgentRun.objects.filter(user_id__in=_names(user)).exclude(session__user=user).order_by("pk")


def anonymise_runs(user: User) -> int:
    """Take the person's name out of those runs; what the program said stays the program's. Returns how many."""
    runs = list(runs_elsewhere(user))
    for run in runs:
        run.user_id = ""
        run.data = json.dumps(_without(json.loads(run.data), _names(user)))
    AgentRun.objects.bulk_update(runs, ["user_id", "data"], batch_size=100)
    return len(runs)


def _names(user: User) -> set[str]:
    return {user.get_username(), str(user.pk)}


def _without(value: Any, names: set[str]) -> Any:
    """The same value with no `user_id` that is one of the names, however deep."""
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: None if key == "user_id" and inner in names else _without(inner, names) for key, inner in value.items()
    }
