"""Everything that the site holds about a person, as one JSON document."""

import json
from collections.abc import Iterator
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db.models import Model

from chats.models import AccessLog, AgentDocument, ChatSession, Usage
from chats.services import agents, exports
from core.models import ApiToken
from courses.models import Document, Enrollment

FORMAT = "studybuddy-account/1"


def export(*, user: User) -> Iterator[str]:
    """The document's text in pieces, one conversation in memory at a time. It is ASCII: people may have written what
    UTF-8 can't hold. Secrets (password, tokens) are not in it, in any form.
    """
    known = json.dumps({"format": FORMAT, **_held(user)}, indent=1)
    yield known.removesuffix("\n}") + ',\n "conversations": ['
    before = ""
    for conversation in exports.documents(ChatSession.objects.filter(user=user)):
        yield f"{before}\n  {json.dumps(conversation)}"
        before = ","
    yield "\n ]\n}\n"


def _held(user: User) -> dict[str, Any]:
    """All but the conversations, as plain values."""
    return {
        "account": _values(
            user, "username", "email", "first_name", "last_name", "date_joined", "last_login", "is_staff"
        ),
        "email_addresses": [
            _values(row, "email", "verified", "primary") for row in EmailAddress.objects.filter(user=user)
        ],
        "enrolments": [
            {"course": row.course.code, **_values(row, "role", "share_name", "created_at")}
            for row in Enrollment.objects.filter(user=user).select_related("course")
        ],
        "usage": [
            {
                "course": row.course.code if row.course else None,
                **_values(row, "day", "questions", "prompt_tokens", "completion_tokens"),
            }
            for row in Usage.objects.filter(user=user).select_related("course").order_by("day")
        ],
        "api_tokens": [
            _values(row, "name", "created", "expiry", "last_used_at") for row in ApiToken.objects.filter(user=user)
        ],
        "uploaded_documents": [
            {"course": row.course.code, **_values(row, "title", "file_name", "created_at")}
            for row in Document.objects.filter(uploaded_by=user).select_related("course")
        ],
        # What agent programs remember of the person, and runs of theirs in conversations that belong to nobody.
        "agent_documents": [
            _values(row, "framework", "kind", "key", "owner", "data", "updated_at")
            for row in AgentDocument.objects.filter(user=user).order_by("pk")
        ],
        "agent_runs_elsewhere": [
            _values(row, "run_id", "kind", "status", "data", "created_at", "updated_at")
            for row in agents.runs_elsewhere(user)
        ],
        "seen_by_others": [
            {"conversation": str(row.session), **_values(row, "action", "text_shown", "at")}
            for row in AccessLog.objects.filter(owner=user).order_by("at")
        ],
    }


def _values(row: Model, *names: str) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool, list, dict)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
