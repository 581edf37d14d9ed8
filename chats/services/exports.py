"""Conversations as files: our own JSON, from which they can be restored without loss, and Markdown to read."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from chats.models import AgentRun, AgentState, ChatSession, Citation, Message, ReplyAttempt
from chats.representation import locator_text, moment
from chats.services import history

FORMAT = "studybuddy-session/1"
SPEAKERS = {"user": "You", "assistant": "StudyBuddy"}
EVERYTHING = 2**31 - 2
BATCH = 50

SESSION_TEXTS = ("title", "title_source", "description", "client_id", "external_id", "external_user_id")
SESSION_TIMES = ("created_at", "updated_at", "last_activity_at", "deleted_at", "pinned_at", "archived_at")
MESSAGE_VALUES = (
    "role",
    "content",
    "reasoning",
    "state",
    "client_id",
    "attempt",
    "raw",
    "raw_format",
    "metadata",
    "tools_used",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "processing_time_ms",
    "finish_reason",
    "error_code",
    "error_message",
)
MESSAGE_TIMES = ("created_at", "started_at", "first_token_at", "finished_at", "deleted_at")
CITATION_VALUES = (
    "marker",
    "cited",
    "quote",
    "document_title",
    "page",
    "slide",
    "start_seconds",
    "heading",
    "score",
)
# What agent frameworks keep besides messages, each value as they gave it.
STATE_VALUES = (
    "framework", "kind", "agent_id", "team_id", "workflow_id", "name", "scope", "revision", "data", "created_at",
    "updated_at",
)  # fmt: skip
RUN_VALUES = (
    "run_id", "run_index", "kind", "status", "agent_id", "team_id", "workflow_id", "parent_run_id", "user_id", "data",
    "span", "shown", "created_at", "updated_at",
)  # fmt: skip
ATTEMPT_VALUES = ("attempt", "runner_name", "outcome", "error_code", "request_id", "prompt")
ATTEMPT_TIMES = ("started_at", "first_token_at", "finished_at")


def document(session: ChatSession, *, records: bool = False) -> dict[str, Any]:
    """The whole conversation as plain values: every branch, with its sources and ratings. See `imports.own`.

    With `records` also what operators see of each reply: its attempts and the prompts as they were sent, which hold
    the course's instructions.
    """
    rows = Message.objects.filter(session=session).order_by("id").select_related("feedback", "agent_entry")
    rows = rows.prefetch_related("citations", *(["attempts"] if records else []))
    course = session.course
    return {
        "format": FORMAT,
        "session_id": str(session.pk),
        "owner": session.user.get_username(),
        "owner_active": session.user.is_active,
        "course": None if course is None else {"course_id": str(course.pk), "code": course.code, "title": course.title},
        **{name: getattr(session, name) for name in SESSION_TEXTS},
        **{name: moment(getattr(session, name)) for name in SESSION_TIMES},
        "context_data": session.context_data,
        "metadata": session.metadata,
        "head_id": None if session.head_id is None else str(session.head_id),
        "messages": [_message(message, records=records) for message in rows],
        "agents": {
            "states": [_state(state) for state in AgentState.objects.filter(session=session).order_by("id")],
            "runs": [_run(run) for run in AgentRun.objects.filter(session=session).order_by("id")],
        },
    }


def documents(sessions: "QuerySet[ChatSession]", *, records: bool = False) -> Iterator[dict[str, Any]]:
    """The documents of many sessions, one in memory at a time."""
    rows = sessions.select_related("course", "user").order_by("pk")
    for session in rows.iterator(chunk_size=BATCH):
        yield document(session, records=records)


def markdown(session: ChatSession) -> str:
    """The shown branch for reading."""
    head = [f"# {session.title or 'New chat'}", ""]
    if session.course is not None:
        head += [f"Course: {session.course}  "]
    head += [f"Started: {session.created_at:%-d %B %Y, %H:%M} UTC", ""]
    messages = history.page(session=session, limit=EVERYTHING).messages
    return "\n".join([*head, *(line for message in messages for line in _read_aloud(message))])


def _message(message: Message, *, records: bool) -> dict[str, Any]:
    feedback = getattr(message, "feedback", None)
    entry = getattr(message, "agent_entry", None)
    running = message.is_running
    text, reasoning = history.text_so_far(message) if running else (message.content, message.reasoning)
    return {
        "id": str(message.pk),
        "parent_id": None if message.parent_id is None else str(message.parent_id),
        **{name: getattr(message, name) for name in MESSAGE_VALUES},
        **{name: moment(getattr(message, name)) for name in MESSAGE_TIMES},
        "content": text,
        "reasoning": reasoning,
        "sources": [_citation(citation) for citation in message.citations.all()],
        "feedback": None
        if feedback is None
        else {
            "rating": feedback.rating,
            "comment": feedback.comment,
            "created_at": moment(feedback.created_at),
            "updated_at": moment(feedback.updated_at),
        },
        "entry_id": None if entry is None else entry.entry_id,
        **({"attempts": [_attempt(attempt) for attempt in message.attempts.all()]} if records else {}),
    }


def _attempt(attempt: ReplyAttempt) -> dict[str, Any]:
    return {
        **{name: getattr(attempt, name) for name in ATTEMPT_VALUES},
        **{name: moment(getattr(attempt, name)) for name in ATTEMPT_TIMES},
        "runner": str(attempt.runner),
    }


def _state(state: AgentState) -> dict[str, Any]:
    return {
        **{name: getattr(state, name) for name in STATE_VALUES},
        "head_id": None if state.head is None else str(state.head),
        "saved_at": moment(state.saved_at),
    }


def _run(run: AgentRun) -> dict[str, Any]:
    return {
        **{name: getattr(run, name) for name in RUN_VALUES},
        "anchor_id": None if run.anchor is None else str(run.anchor),
    }


def _citation(citation: Citation) -> dict[str, Any]:
    ids = {name: getattr(citation, name) for name in ("passage_id", "document_id", "course_id")}
    return {
        **{name: getattr(citation, name) for name in CITATION_VALUES},
        **{name: None if value is None else str(value) for name, value in ids.items()},
    }


def _read_aloud(message: Message) -> Iterable[str]:
    yield f"## {SPEAKERS.get(message.role, message.role)}, {message.created_at:%-d %B %Y, %H:%M}"
    yield ""
    yield message.content.strip() or "*(no text)*"
    yield ""
    if message.state in ("stopped", "failed"):
        yield f"*This answer was {'stopped' if message.state == 'stopped' else 'not finished'}.*"
        yield ""
    cited = [citation for citation in message.citations.all() if citation.cited]
    if cited:
        yield "Sources:"
        yield ""
        for citation in cited:
            place = locator_text(citation)
            title = f"{citation.document_title}, {place}" if place else citation.document_title
            yield f"- [{citation.marker}] {title}"
        yield ""
