"""Agno's runs and the branch that a conversation shows.

`AgentState.head` is the branch's end as Agno last knew it. While it still is the end, the runs are the rows, in order.
Once it isn't, somebody went on elsewhere or shows another branch: then the branch itself says which runs it holds.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from agno.db.utils import HISTORY_SKIP_STATUSES
from django.db.models import Max, QuerySet
from django.utils import timezone

from chats.integrations.agno.projection import COMPONENTS, FORMAT, as_json, drafts, foreign_runs
from chats.models import AgentRun, AgentState, ChatSession, Message
from chats.services import transcripts
from chats.services.transcripts import Line
from core import statements
from core.text import storable

Row = dict[str, Any]
WINDOW = 50
IN_ORDER = ("run_index", "created_at", "id")
NEWEST = """
SELECT run_id, data FROM chats_agentrun WHERE session_id = %s AND shown AND parent_run_id = '' {status}
ORDER BY run_index DESC, created_at DESC, id DESC LIMIT %s
"""
Text = tuple[str, str]


def runs(session: ChatSession, state: AgentState | None, session_id: str) -> list[Text]:
    """Id and JSON text of the runs on the shown branch, oldest first."""
    kept, after = _kept(session, state, session_id)
    return [*kept.order_by(*IN_ORDER).values_list("run_id", "data"), *after]


def newest_runs(
    session: ChatSession,
    state: AgentState | None,
    session_id: str,
    count: int,
    skipped: Collection[str] = HISTORY_SKIP_STATUSES,
) -> list[Text]:
    """The same of the newest `count` that count as history: no member's, and of a status that isn't `skipped`."""
    if count <= 0:
        return []
    if state is not None and state.head == session.head_id:
        status = f"AND status NOT IN ({', '.join(['%s'] * len(skipped))})" if skipped else ""
        parameters = [statements.key(session.pk), *skipped, count]
        return [(run_id, text) for run_id, text in statements.fetch(NEWEST.format(status=status), parameters)][::-1]
    kept, after = _kept(session, state, session_id)
    context = kept.filter(parent_run_id="").exclude(status__in=skipped)
    wanted = max(0, count - len(after))
    before = list(context.order_by(*[f"-{name}" for name in IN_ORDER]).values_list("run_id", "data")[:wanted])
    return [*reversed(before), *after][-count:]


def _kept(session: ChatSession, state: AgentState | None, session_id: str) -> tuple[QuerySet[AgentRun], list[Text]]:
    """The runs that are kept on the shown branch, and as runs what others said there since."""
    kept = AgentRun.objects.filter(session=session)
    if state is not None and state.head == session.head_id:
        return kept.filter(shown=True), []
    tail, known = _tail(session)
    after = [(run["run_id"], as_json(run)) for run in _foreign(session, state, tail, session_id)]
    hidden = _off_branch(session, known)
    return kept.exclude(pk__in=hidden) if hidden is not None else kept.filter(shown=True), after


def runs_of_all(sessions: Sequence[ChatSession], states: Mapping[UUID, AgentState]) -> defaultdict[UUID, list[str]]:
    """The JSON texts of the same for many sessions: in one query for all those whose end Agno knows."""
    texts: defaultdict[UUID, list[str]] = defaultdict(list)
    known = []
    for session in sessions:
        state = states.get(session.pk)
        if state is not None and state.head == session.head_id:
            known.append(session.pk)
        else:
            name = session.external_id or str(session.pk)
            texts[session.pk] = [text for _, text in runs(session, state, name)]
    kept = AgentRun.objects.filter(session__in=known, shown=True).order_by(*IN_ORDER)
    for session_id, text in kept.values_list("session_id", "data"):
        texts[session_id].append(text)
    return texts


def catch_up(session: ChatSession, state: AgentState | None) -> None:
    """Give the turns that others made since the last run their place among the (locked) session's runs."""
    if state is None or state.head == session.head_id:
        return
    tail, known = _tail(session)
    hidden = _off_branch(session, known)
    if hidden is not None:
        AgentRun.objects.filter(session=session).update(shown=True)
        AgentRun.objects.filter(pk__in=hidden).update(shown=False)
    last = AgentRun.objects.filter(session=session).aggregate(last=Max("run_index"))["last"]
    index = 0 if last is None else int(last) + 1
    turns = _foreign(session, state, tail, session.external_id or str(session.pk))
    ends = _turn_ends(tail)
    now = int(timezone.now().timestamp())
    AgentRun.objects.bulk_create(
        AgentRun(
            session=session,
            run_id=run["run_id"],
            run_index=index + place,
            kind=state.kind,
            status=run["status"],
            data=as_json(run),
            anchor=end,
            span=span,
            created_at=run["created_at"],
            updated_at=now,
            **{name: run.get(name) or "" for name in COMPONENTS.values()},
        )
        for place, (run, (end, span)) in enumerate(zip(turns, ends, strict=True))
    )


def project(session: ChatSession, run: AgentRun, data: Row, *, ordinal: int | None = None) -> None:
    """Let the run's messages stand in the conversation, in place of those from an earlier state of it.

    `ordinal` is the ordinal of the shown branch's end, where it is known.
    """
    wanted = drafts(data)
    old = _rows(run)
    if any(row.raw_format != FORMAT for row in old):
        return  # a turn made elsewhere: its messages are not Agno's to change
    same = [(row.role, row.content) for row in old]
    if same and same == [(draft.role, draft.content) for draft in wanted]:
        return
    if old and (session.head_id != run.anchor or Message.objects.filter(parent_id=run.anchor).exists()):
        _rewrite(old, wanted)
        return
    if old:
        transcripts.show(session, old[0].parent_id)
        _erase(old)
        ordinal = None
    messages = transcripts.attach(session, wanted, session.head_id, ordinal=ordinal)
    run.anchor, run.span = messages[-1].pk, len(messages)


def withdraw(session: ChatSession, run: AgentRun) -> None:
    """Take the run's own messages out of the conversation, and what they say with them. Later turns stay."""
    old = [row for row in _rows(run) if row.raw_format == FORMAT]
    if not old:
        return
    if session.head_id == run.anchor and not Message.objects.filter(parent_id=run.anchor).exists():
        transcripts.show(session, old[0].parent_id)
        _erase(old)
        return
    gone = Message.objects.filter(pk__in=[row.id for row in old])
    gone.update(deleted_at=timezone.now(), content="", raw="", reasoning="", role="tool", state="complete")


def stand(session: ChatSession, state: AgentState | None) -> None:
    """Remember the branch's end as the one that the runs lead to."""
    if state is not None and state.head != session.head_id:
        statements.put(AgentState, "id = %s", [state.pk], head=session.head_id)
        state.head = session.head_id


def _rows(run: AgentRun) -> list[Line]:
    """The messages that a run made or took over, oldest first."""
    if run.anchor is None or not run.span:
        return []
    return transcripts.newest(run.anchor, formats=[FORMAT], count=run.span)


def _erase(rows: Sequence[Line]) -> None:
    Message.objects.filter(pk__in=[row.id for row in rows]).delete()


def _rewrite(old: Sequence[Line], wanted: Sequence[transcripts.Draft]) -> None:
    """Something hangs on the messages already: they keep their places and roles, and say what the run says now."""
    by_role = {draft.role: draft.content for draft in wanted}
    for row in old:
        content = by_role.get(row.role)
        if content is not None and storable(content) != row.content:
            Message.objects.filter(pk=row.id).update(content=storable(content))


def _tail(session: ChatSession) -> tuple[list[Line], AgentRun | None]:
    """What stands on the shown branch behind the last run that is on it, and that run."""
    if session.head_id is None:
        return [], None
    count = WINDOW
    while True:
        rows = transcripts.newest(session.head_id, formats=[FORMAT], count=count)
        ends = AgentRun.objects.filter(session=session, anchor__in=[row.id for row in rows])
        by_anchor = {run.anchor: run for run in ends}
        for place in range(len(rows) - 1, -1, -1):
            if run := by_anchor.get(rows[place].id):
                return [row for row in rows[place + 1 :] if row.raw_format != FORMAT], run
        if len(rows) < count:
            return [row for row in rows if row.raw_format != FORMAT], None
        count *= 4


def _off_branch(session: ChatSession, known: AgentRun | None) -> list[int] | None:
    """The runs that don't lead to the shown branch's end; None when it simply goes on from the last shown run."""
    runs = AgentRun.objects.filter(session=session)
    last = runs.filter(shown=True).order_by(*[f"-{name}" for name in IN_ORDER]).first()
    if last == known:
        return None
    on_branch = {row.id for row in transcripts.newest(session.head_id, formats=[FORMAT])}
    return [pk for pk, anchor in runs.values_list("pk", "anchor") if anchor not in on_branch]


def _foreign(session: ChatSession, state: AgentState | None, tail: Sequence[Line], session_id: str) -> list[Row]:
    kind = state.kind if state else "agent"
    component_id = getattr(state, COMPONENTS[kind]) if state else ""
    return foreign_runs(tail, kind=kind, component_id=component_id, session_id=session_id)


def _turn_ends(tail: Sequence[Line]) -> list[tuple[UUID, int]]:
    """For each turn made elsewhere its last message and how many it has, divided as `foreign_runs` divides."""
    ends: list[tuple[UUID, int]] = []
    for row in tail:
        if row.role == "user" or not ends:
            ends.append((row.id, 1))
        else:
            ends[-1] = (row.id, ends[-1][1] + 1)
    return ends
