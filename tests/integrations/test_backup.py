"""export_sessions, an empty database, import_sessions: every row is back, those of agent frameworks too."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("agno", reason="agno is not installed")
pytest.importorskip("agents", reason="openai-agents is not installed")
pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed")

from agno.models.message import Message as AgnoMessage
from agno.run.agent import RunInput, RunOutput
from agno.run.base import RunStatus
from agno.session import AgentSession
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from pydantic_ai.conversation_store import ConversationEntry, ConversationRecord
from pydantic_ai.messages import ModelRequest, UserPromptPart

from chats.integrations.agno import DjangoDb
from chats.integrations.openai_agents import DjangoSession
from chats.integrations.pydantic_ai import DjangoConversationStore
from chats.models import (
    AgentDocument,
    AgentEntry,
    AgentRun,
    AgentState,
    ChatSession,
    Citation,
    Feedback,
    Message,
    ReplyAttempt,
    SearchEntry,
)
from chats.services import sessions, turns
from courses.models import Course, Enrollment
from tests.api.conftest import Program
from tests.integrations.pydantic_cases import NOW

pytestmark = pytest.mark.django_db(transaction=True)

RESTORED = (ChatSession, Message, Citation, Feedback, ReplyAttempt, AgentState, AgentRun, AgentEntry)


def keep_with_agno(owner: str, session_id: str) -> None:
    db = DjangoDb()
    db.upsert_session(AgentSession(session_id=session_id, agent_id="tutor", user_id=owner, metadata={"a": "\0\ud800"}))
    said = [AgnoMessage(role="user", content="What is bias?"), AgnoMessage(role="assistant", content="An error.")]
    for number in range(2):
        run = RunOutput(
            run_id=f"{session_id}-{number}",
            agent_id="tutor",
            user_id=owner,
            input=RunInput("What is bias?"),
            content="An error.",
            status=RunStatus.completed,
            messages=said,
        )
        db.upsert_run(run, session_id, owner)


async def keep_with_others(owner: str) -> None:
    store = DjangoConversationStore(user=owner)
    entry = ConversationEntry(
        id="first", parent_id=None, message=ModelRequest([UserPromptPart("Hello", timestamp=NOW)], timestamp=NOW)
    )
    record = ConversationRecord(conversation_id="pydantic", head_id="first", scope="lab", revision="r1", updated_at=NOW)
    await store.write_record(record, new_entries=[entry], expected_revision=None)
    items: Any = [{"role": "user", "content": "Hi"}, {"type": "reasoning", "id": "r", "summary": []}]
    await DjangoSession("openai", user=owner).add_items(items)


@pytest.fixture
def kept(student: User, course: Course, instructor: User) -> None:
    """Conversations of the site and of three frameworks, of people with and without an account, one put away."""
    session, _ = sessions.create(user=student, course_id=course.pk, title="Bias", external_id="x1", client_id="c")
    rows = [{"role": "user", "content": "What is bias?"}, {"role": "assistant", "content": "An error [1]."}]
    _, (question, reply) = turns.append(user=student, session_id=session.pk, messages=rows, client_id="c1")
    turns.edit(user=student, message_id=question.pk, text="What is variance?", client_id="c2", reply=False)
    Citation.objects.create(message=reply, marker=1, course=course, quote="q", document_title="Notes", cited=True)
    Feedback.objects.create(message=reply, rating=-1, comment="Short.")
    for attempt, prompt in ((1, []), (2, '[{"role": "user", "content": "\\u0000"}]')):
        ReplyAttempt.objects.create(reply=reply, attempt=attempt, runner=reply.pk, outcome="complete", prompt=prompt)
    put_away, _ = sessions.create(user=instructor, course_id=course.pk, title="Put away")
    sessions.delete(user=instructor, session_id=put_away.pk)
    keep_with_agno("student", "agno")
    keep_with_agno("somebody elsewhere", "agno-elsewhere")
    asyncio.run(keep_with_others("student"))


def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows that a backup holds; what counts rows of this database alone is left out."""
    tables = {}
    for model in RESTORED:
        rows = model.objects.order_by("pk").values()
        tables[model.__name__] = [
            {
                name: value
                for name, value in row.items()
                if name != "user_id" and (name != "id" or "UUID" in repr(value))
            }
            for row in rows
        ]
    tables["owners"] = list(ChatSession.objects.order_by("pk").values("pk", "user__username", "user__is_active"))
    tables["searched"] = list(SearchEntry.objects.order_by("message", "session").values("session", "message"))
    return tables


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def documented(path: Path) -> list[list[str]]:
    """The operators' page's own commands, with `path` for their file."""
    page = Path(__file__).parents[2] / "docs" / "operations.md"
    lines = (line.split() for line in page.read_text().splitlines())
    return [
        [str(path) if word == "conversations.jsonl" else word for word in words[1:]]
        for words in lines
        if words[:1] == ["manage.py"] and words[1] in ("export_sessions", "import_sessions")
    ]


def test_into_an_empty_database_everything_comes_back(kept: None, course: Course, tmp_path: Path) -> None:
    path = tmp_path / "backup.jsonl"
    back_up, restore = documented(path)
    before = everything()
    assert all(before.values())
    assert run(*back_up).startswith("6 conversations")
    assert path.stat().st_mode & 0o077 == 0, "others on the machine may not read it"
    call_command("flush", interactive=False, verbosity=0)
    with pytest.raises(CommandError, match="no account called 'student'"):
        run("import_sessions", str(path))
    assert not User.objects.exists()
    assert run(*restore) == "6 conversations imported.\n"
    assert everything() == before
    assert str(Course.objects.get()) == "ML101 Introduction to Machine Learning"
    assert set(Enrollment.objects.values_list("user__username", flat=True)) == {"student", "instructor"}
    assert not User.objects.get(username="student").has_usable_password()


def test_frameworks_go_on_from_a_restored_backup(kept: None, tmp_path: Path) -> None:
    path = tmp_path / "backup.jsonl"
    run("export_sessions", "--output", str(path))
    call_command("flush", interactive=False, verbosity=0)
    run("import_sessions", str(path), "--create-missing")
    session: Any = DjangoDb().get_session("agno-elsewhere", user_id="somebody elsewhere")
    assert session.metadata == {"a": "\0\ud800"}
    assert [run.run_id for run in session.runs] == ["agno-elsewhere-0", "agno-elsewhere-1"]
    record = asyncio.run(DjangoConversationStore(user="student").read_record("pydantic"))
    assert record is not None
    assert (record.head_id, record.scope, record.revision) == ("first", "lab", "r1")
    items: list[Any] = asyncio.run(DjangoSession("openai", user="student").get_items())
    assert items == [{"role": "user", "content": "Hi"}, {"type": "reasoning", "id": "r", "summary": []}]
    keep_with_agno("student", "agno-new")
    assert ChatSession.objects.filter(external_id="agno-new").exists()


def test_a_person_cannot_put_a_conversation_in_a_programs_way(kept: None, teammate: User, student: User) -> None:
    """Programs that name no user find a session by its name alone: whoever imports one can't choose that name."""
    exported = Program(student).get("/api/sessions/agno/export").json()
    assert exported["agents"]["runs"]
    planted = {**exported, "external_id": "support-bot"}
    (made,) = Program(teammate).post("/api/sessions/import", planted).json()["sessions"]
    assert made["external_id"] is None
    assert DjangoDb().get_session("support-bot") is None
    copy: Any = DjangoDb().get_session(made["session_id"], user_id="teammate")
    assert [run.content for run in copy.runs] == ["An error.", "An error."]
    assert "attempts" not in json.dumps(exported), "prompts hold the course's instructions"


@pytest.mark.parametrize(
    "agents",
    [
        {"states": [{"framework": "agno"}]},
        {"states": [5]},
        {"runs": [{"run_id": "x" * 256, "created_at": 1, "updated_at": 1}]},
        {"runs": [{"run_id": "a", "created_at": "now", "updated_at": 1}]},
        {"runs": [{"run_id": "a"}]},
        {"runs": [{"run_id": "a", "created_at": 1, "updated_at": 1}] * 2},
        {"runs": [{"run_id": "a", "created_at": 2**70, "updated_at": 1}]},
        {"runs": [{"run_id": "a", "created_at": 1, "updated_at": 1, "span": -1}]},
        "nonsense",
    ],
)
def test_what_frameworks_could_not_have_written_is_refused(student: User, agents: Any) -> None:
    file = {"format": "studybuddy-session/1", "agents": agents}
    answer = Program(student).post("/api/sessions/import", file)
    assert answer.status_code == 422, answer.content
    assert not ChatSession.objects.exists()


def test_erasure_and_disclosure_know_what_frameworks_keep(kept: None, student: User, tmp_path: Path) -> None:
    AgentDocument.objects.create(
        framework="agno", kind="memory", key="m1", owner="student", user=student, data='{"memory": "likes plots"}'
    )
    AgentDocument.objects.create(framework="agno", kind="memory", key="m2", owner="x", data="{}")
    elsewhere = AgentRun.objects.exclude(session__user=student).earliest("pk")
    elsewhere.user_id, elsewhere.data = "student", '{"user_id": "student", "member": [{"user_id": "student", "n": 1}]}'
    elsewhere.save()
    path = tmp_path / "student.json"
    run("export_user", "student", "--output", str(path))
    held = json.loads(path.read_text())
    assert [one["data"] for one in held["agent_documents"]] == ['{"memory": "likes plots"}']
    assert [one["run_id"] for one in held["agent_runs_elsewhere"]] == ["agno-elsewhere-0"]
    assert sorted(len(one["agents"]["runs"]) for one in held["conversations"]) == [0, 0, 0, 2]
    dry = run("purge_user", "student", "--dry-run")
    receipt = run("purge_user", "student")
    assert sorted(dry.splitlines()[1:]) == sorted(receipt.splitlines()[1:])
    for line in ("agent runs: 2", "agent states: 2", "agent entrys: 1", "agent documents: 1"):
        assert f"  {line}\n" in receipt, receipt
    elsewhere.refresh_from_db()
    assert json.loads(elsewhere.data) == {"user_id": None, "member": [{"user_id": None, "n": 1}]}
    assert not AgentRun.objects.filter(user_id="student").exists()
    assert AgentDocument.objects.get().key == "m2"
