"""Agno's sessions and runs are conversations that the site shows, and what is said there is runs."""

import asyncio
import copy
import dataclasses
from typing import Any

import pytest

pytest.importorskip("agno", reason="agno is not installed")

from agno.agent import Agent
from agno.db.base import SessionType
from agno.db.in_memory import InMemoryDb
from agno.models.message import Message as AgnoMessage
from agno.run.agent import RunInput, RunOutput
from agno.run.base import RunStatus
from agno.session import TeamSession, WorkflowSession
from django.contrib.auth.models import User

from chats.integrations.agno import AsyncDjangoDb, DjangoDb
from chats.models import AgentRun, ChatSession, Message
from chats.services import branches, sessions, turns
from core.database import in_database
from tests.integrations.agno_cases import Echo, kept, new_session, said, shown

pytestmark = pytest.mark.django_db(transaction=True)


def test_turns_of_a_run_are_turns_on_the_site_with_tools_folded(student: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("s", "student"))
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    run = RunOutput(
        run_id="r",
        agent_id="tutor",
        content="It is 2.",
        status=RunStatus.completed,
        messages=[
            AgnoMessage(role="system", content="Be kind."),
            AgnoMessage(role="user", content="Before", from_history=True),
            AgnoMessage(role="user", content="Add 1 and 1"),
            AgnoMessage(role="assistant", tool_calls=[call]),
            AgnoMessage(role="tool", tool_name="add", content="2"),
            AgnoMessage(role="assistant", content="It is 2."),
        ],
    )
    db.upsert_run(run, "s", "student")
    assert shown(student, "s") == [("user", "Add 1 and 1"), ("assistant", "It is 2.")]
    everything = shown(student, "s", ("user", "assistant", "tool", "system"))
    assert everything[1:3] == [("tool", 'add({"a": 1})'), ("tool", "2")]
    assert sessions.find(user=student, session_id="s").title == "Add 1 and 1"
    db.rename_session("s", SessionType.AGENT, "Sums", "student")
    assert sessions.find(user=student, session_id="s").title == "Sums"


def test_turns_made_on_the_site_are_runs_between_agnos_own(student: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("s", "student"))
    db.upsert_run(said("r1", "one", "1"), "s", "student", 0)
    added = [{"role": "user", "content": "two"}, {"role": "assistant", "content": "2"}]
    turns.append(user=student, session_id="s", messages=added)
    pairs = [("user", "one"), ("assistant", "1"), ("user", "two"), ("assistant", "2")]
    assert kept(db, "s", student) == pairs
    newest = db.get_session("s", SessionType.AGENT, user_id="student", runs_limit=1)
    assert [message.content for message in newest.get_chat_history()] == ["two", "2"]
    db.upsert_run(said("r3", "three", "3"), "s", "student", 2)
    assert kept(db, "s", student) == [*pairs, ("user", "three"), ("assistant", "3")]
    assert shown(student, "s") == kept(db, "s", student)
    assert [run.run_index for run in AgentRun.objects.order_by("run_index")] == [0, 1, 2]


def test_a_session_begun_on_the_site_is_continued(student: User) -> None:
    made, _ = sessions.create(user=student)
    turns.append(user=student, session_id=made.pk, messages=[{"role": "user", "content": "Hello"}])
    db = DjangoDb()
    assert kept(db, str(made.pk), student) == [("user", "Hello")]
    assert db.get_session(str(made.pk), SessionType.AGENT) is None
    db.upsert_session(new_session(str(made.pk), "student"))
    db.upsert_run(said("r", "And now?", "Now this."), str(made.pk), "student")
    expected = [("user", "Hello"), ("user", "And now?"), ("assistant", "Now this.")]
    assert kept(db, str(made.pk), student) == expected
    assert shown(student, str(made.pk)) == expected


def test_another_branch_shown_on_the_site_is_what_agno_reads(student: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("s", "student"))
    db.upsert_run(said("r1", "one", "1"), "s", "student")
    db.upsert_run(said("r2", "two", "2"), "s", "student")
    second = Message.objects.get(content="two")
    turns.edit(user=student, message_id=second.pk, text="two, again", reply=False)
    first = [("user", "one"), ("assistant", "1")]
    assert kept(db, "s", student) == [*first, ("user", "two, again")]
    db.upsert_run(said("r3", "three", "3"), "s", "student")
    now = [*first, ("user", "two, again"), ("user", "three"), ("assistant", "3")]
    assert kept(db, "s", student) == now
    assert shown(student, "s") == now
    branches.show(user=student, session_id="s", message_id=second.pk)
    assert kept(db, "s", student) == [*first, ("user", "two"), ("assistant", "2")]


def test_a_run_that_goes_on_changes_its_own_messages_only(student: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("s", "student"))
    begun = RunOutput(run_id="r", agent_id="tutor", input=RunInput("Why?"), status=RunStatus.running)
    db.upsert_run(begun, "s", "student")
    assert shown(student, "s") == [("user", "Why?")]
    db.upsert_run(said("r", "Why?", "Because."), "s", "student")
    assert shown(student, "s") == [("user", "Why?"), ("assistant", "Because.")]
    assert Message.objects.count() == 2
    turns.append(user=student, session_id="s", messages=[{"role": "user", "content": "Thanks"}])
    db.upsert_run(said("r", "Why?", "Because, more exactly."), "s", "student")
    assert [text for _, text in shown(student, "s")] == ["Why?", "Because, more exactly.", "Thanks"]
    assert db.delete_run("r")
    assert shown(student, "s") == [("user", "Thanks")]
    assert not Message.objects.filter(content__contains="exactly").exists()


def test_a_run_is_kept_behind_an_answer_that_is_being_written(student: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("s", "student"))
    turn = turns.ask(user=student, session_id="s", text="What is bias?")
    db.upsert_run(said("r", "Meanwhile", "Yes"), "s", "student")
    Message.objects.filter(pk=turn.reply.pk).update(state="complete", content="An error.")
    assert [text for _, text in shown(student, "s")] == ["What is bias?", "An error.", "Meanwhile", "Yes"]


def test_another_users_session_is_never_returned_or_overwritten(student: User, outsider: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("s", "student", session_data={"session_name": "mine"}))
    db.upsert_run(said("r", "secret", "yes"), "s", "student")
    pk = str(ChatSession.objects.get(external_id="s").pk)
    for name in ("s", pk):
        assert db.get_session(name, SessionType.AGENT, user_id="outsider") is None
        assert db.upsert_session(new_session(name, "outsider")) is None
        assert db.upsert_session(new_session(name, None)) is None
        assert db.rename_session(name, SessionType.AGENT, "theirs", user_id="outsider") is None
        assert not db.delete_session(name, user_id="outsider")
        db.delete_sessions([name], user_id="outsider")
        with pytest.raises(ValueError, match="no session"):
            db.upsert_run(said("x", "intrusion", "no"), name, "outsider")
    assert db.get_sessions(user_id="outsider") == []
    assert kept(db, "s", student) == [("user", "secret"), ("assistant", "yes")]


def test_sessions_are_listed_by_page_kind_component_and_name(student: User) -> None:
    db = DjangoDb()
    for number in range(5):
        session = new_session(f"a{number}", "student", session_data={"session_name": f"Talk {number}"})
        session.created_at = 1700000000 + number
        db.upsert_session(session)
    db.upsert_session(TeamSession(session_id="t", team_id="team", user_id="student", created_at=1700000100))
    db.upsert_session(WorkflowSession(session_id="w", workflow_id="flow", user_id="ann", created_at=1700000200))
    rows, total = db.get_sessions(
        session_type=SessionType.AGENT,
        user_id="student",
        sort_by="created_at",
        sort_order="desc",
        limit=2,
        page=2,
        deserialize=False,
    )
    assert (total, [row["session_id"] for row in rows]) == (5, ["a2", "a1"])
    assert [row.session_id for row in db.get_sessions(session_name="talk 3")] == ["a3"]
    assert [row.session_id for row in db.get_sessions(component_id="team")] == ["t"]
    assert [row.session_id for row in db.get_sessions(start_timestamp=1700000004, end_timestamp=1700000100)] == [
        "a4",
        "t",
    ]
    assert isinstance(db.get_sessions(session_type=SessionType.WORKFLOW)[0], WorkflowSession)


def test_concurrent_runs_are_all_kept_each_whole(student: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("s", "student"))

    async def many() -> None:
        mine = AsyncDjangoDb()
        await asyncio.gather(
            *[mine.upsert_run(said(f"r{n}", f"q{n}", f"a{n}"), "s", "student", run_index=0) for n in range(12)]
        )

    asyncio.run(many())
    texts = [text for _, text in shown(student, "s")]
    assert sorted(texts[::2]) == sorted(f"q{n}" for n in range(12))
    assert [text.replace("q", "a") for text in texts[::2]] == texts[1::2]
    assert sorted(AgentRun.objects.values_list("run_index", flat=True)) == list(range(12))


async def test_the_sync_database_works_under_a_running_loop(student: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("notebook", "student"))
    found = db.get_session("notebook", SessionType.AGENT, user_id="student")
    assert found is not None
    assert await in_database(ChatSession.objects.count) == 1


def test_a_pending_run_is_cancelled_once(student: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("s", "student"))
    waiting = RunOutput(run_id="r", agent_id="tutor", input=RunInput("x"), status=RunStatus.pending)
    db.upsert_run(waiting, "s", "student")
    assert db.cancel_pending_run("r", session_id="s", reason="too late", user_id="student")
    assert not db.cancel_pending_run("r", session_id="s", reason="again", user_id="student")
    cancelled = db.get_run("r")
    assert (cancelled.status, cancelled.content) == (RunStatus.cancelled, "too late")


def test_many_sessions_are_kept_at_once_but_for_another_users(student: User) -> None:
    db = DjangoDb()
    db.upsert_session(new_session("theirs", "ann"))
    given = [new_session("one", "student"), new_session("theirs", "student"), None, new_session("two", "student")]
    given[0].runs = [said("r", "question", "answer")]
    assert [session.session_id for session in db.upsert_sessions(given)] == ["one", "two"]
    assert kept(db, "one", student) == [("user", "question"), ("assistant", "answer")]


def test_an_agents_session_reads_of_a_long_history_what_is_asked_for(student: User) -> None:
    db, own = DjangoDb(), InMemoryDb()
    for one in (db, own):
        one.upsert_session(new_session("s", "student"))
        for number in range(40):
            status = RunStatus.error if number % 7 == 3 else RunStatus.completed
            parent = "r0" if number % 5 == 4 else None
            run = said(f"r{number}", f"q{number}", f"a{number}", status=status, parent_run_id=parent)
            one.upsert_run(run, "s", "student", number)

    def read(one: Any) -> Any:
        return one.get_session("s", SessionType.AGENT, user_id="student")

    for asked in (
        {"last_n_runs": 3},
        {"last_n_runs": 0},
        {"last_n_runs": 25, "limit": 5},
        {"limit": 30, "skip_roles": ["system"]},
        {"limit": 500, "skip_roles": ["system"]},
        {"limit": 4},
        {"last_n_runs": 12, "skip_statuses": []},
        {"agent_id": "tutor", "last_n_runs": 2},
        {},
    ):
        ours, theirs = read(db), read(own)
        for session in (ours, theirs):
            session.upsert_run(said("new", "newest", "answer"))
        said_here, said_there = ours.get_messages(**asked), theirs.get_messages(**asked)
        assert [message.content for message in said_here] == [message.content for message in said_there], asked
        assert [run.run_id for run in ours.runs] == [run.run_id for run in theirs.runs]
    ours = copy.deepcopy(read(db))
    ours.upsert_run(said("r1", "again", "other"))
    assert [run.content for run in ours.runs[:3]] == ["a0", "other", "a2"]
    assert ours.get_run("r39").content == "a39"
    assert len(dataclasses.replace(read(db), user_id="ann").runs) == len(read(db).to_dict()["runs"]) == 40


def test_an_agent_names_its_session_and_tells_its_history(student: User) -> None:
    agent = Agent(model=Echo(id="echo"), db=DjangoDb(), session_id="s", user_id="student", telemetry=False)
    agent.run("What is bias?")
    agent.set_session_name(session_id="s", autogenerate=True)
    assert sessions.find(user=student, session_id="s").title == agent.get_session_name(session_id="s") == "Yes."
    told = [(message.role, message.content) for message in agent.get_chat_history(session_id="s")]
    assert told == [("user", "What is bias?"), ("assistant", "Yes.")] == shown(student, "s")
