"""OpenAI Agents SDK: a `Session` whose items are messages of a conversation on this site.

    session = DjangoSession("a name of your own or a session's id", user=user)
    result = await Runner.run(agent, "What is bias?", session=session)

An item comes back exactly as it was given. Turns that were made elsewhere (on the site, over REST, by another
framework) appear among the items as plain messages.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

from django.db import transaction

from chats.integrations.bridge import INSTALL, Who, arun, dumps, settled, whose
from chats.models import ChatSession, Message
from chats.services import branches, owners, transcripts
from chats.services.transcripts import Draft, Line

try:
    from agents.memory import SessionSettings
    from agents.memory.session import SessionABC
    from agents.memory.session_settings import coerce_session_settings, resolve_session_limit
except ImportError as missing:
    raise ImportError(f"DjangoSession needs the package openai-agents: {INSTALL}") from missing

if TYPE_CHECKING:
    from agents import RunContextWrapper, TResponseInputItem

    Expired = Callable[[TResponseInputItem], bool]

FORMAT = "openai-agents"
ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
CALLS = ("get_items", "add_items", "pop_item", "clear_session")


class DjangoSession(SessionABC):
    """A conversation of `user` as the memory of an agent. It is made when the first items are added.

    `session_id` is the id of one of the user's sessions, or any name of your own, kept as its external id. `user` is
    an account, its username or its primary key; anybody else is kept by that name, apart from all accounts.

    Each call is one transaction, and writers take turns: a batch is never interleaved with another. While the tutor
    of the site answers in the same conversation, what would change it raises `ReplyRunning`.
    """

    def __init__(
        self,
        session_id: str,
        *,
        user: Who = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        self.session_id = session_id
        self.session_settings = (
            SessionSettings() if session_settings is None else coerce_session_settings(session_settings)
        )
        self.user = user

    async def get_items(
        self, limit: int | None = None, *, wrapper: "RunContextWrapper[Any] | None" = None
    ) -> "list[TResponseInputItem]":
        """The newest `limit` items (default: the settings' limit, else all), oldest first."""
        wanted = resolve_session_limit(limit, self.session_settings)
        return await arun(self._get, None if wanted is None or wanted < 0 else wanted)

    async def add_items(
        self, items: "list[TResponseInputItem]", *, wrapper: "RunContextWrapper[Any] | None" = None
    ) -> None:
        """Add the items at the end, all or none. Raises ReplyRunning."""
        drafts = [_draft(item) for item in items]
        if drafts:
            await settled(self._add, drafts)

    async def pop_item(self, *, wrapper: "RunContextWrapper[Any] | None" = None) -> "TResponseInputItem | None":
        """Take the newest item off and return it, or None when there is none. Raises ReplyRunning."""
        return await settled(self._pop)

    async def clear_session(self, *, wrapper: "RunContextWrapper[Any] | None" = None) -> None:
        """Remove all messages of the conversation, whoever made them. Raises ReplyRunning."""
        await settled(self._clear)

    def close(self) -> None:
        """Nothing: connections belong to Django. The SDK's own sessions have this, so programs call it."""

    def _get(self, limit: int | None) -> "list[TResponseInputItem]":
        return [_item(message) for message in self._read(limit)]

    @transaction.atomic
    def _add(self, drafts: Sequence[Draft]) -> None:
        session, _ = owners.lock_or_create(whose(self.user), self.session_id)
        transcripts.append(session, drafts)

    @transaction.atomic
    def _pop(self) -> "TResponseInputItem | None":
        session = owners.lock(whose(self.user), self.session_id)
        newest = [] if session is None else _newest(session.head_id, 1)
        if session is None or not newest:
            return None
        branches.refuse_while_running(session)
        item = _item(newest[0])
        transcripts.take_back(session, newest[0], own=newest[0].raw_format == FORMAT)
        return item

    @transaction.atomic
    def _clear(self) -> None:
        session = owners.lock(whose(self.user), self.session_id)
        if session is not None:
            transcripts.clear(session)

    # What compaction asks a store for, so that a summary takes the place of history in one transaction. The messages
    # that it sums up stay in the conversation as an earlier branch, which people can still open. A subclass that does
    # more than this class when items come and go is not gone behind: for it compaction calls the methods themselves.

    def _is_changed(self) -> bool:
        return any(getattr(type(self), name) is not getattr(DjangoSession, name) for name in CALLS)

    async def _atomic_replace_items(self, items: "list[TResponseInputItem]") -> bool:
        if self._is_changed():
            return False
        drafts = [_draft(item) for item in items]
        return await settled(self._replace, None, drafts)

    async def _get_compaction_snapshot(self, limit: int, *, prune_prefix: "Expired | None" = None) -> Any:
        """The newest `limit` items and a way to put others in place of the last of them, as the SDK's own stores do.

        Items at the beginning that `prune_prefix` calls expired leave with them: nobody can read those any more, and
        they would pile up before whatever is asked for next.
        """
        from agents.memory.session import _CompactionSnapshot

        if self._is_changed():
            return None
        found = await arun(self._read, limit + 1)
        messages = found[-limit:] if limit else []

        async def replace_suffix(start: int, output: "list[TResponseInputItem]") -> bool:
            expected = messages[start:]
            if not expected:
                return False
            drafts = [_draft(item) for item in output]
            return await settled(self._replace, [message.id for message in expected], drafts, prune_prefix)

        return _CompactionSnapshot([_item(message) for message in messages], len(found) <= limit, replace_suffix)

    def _read(self, count: int | None) -> list[Line]:
        return transcripts.newest_of(whose(self.user), self.session_id, formats=[FORMAT], count=count)

    @transaction.atomic
    def _replace(self, expected: list[Any] | None, drafts: Sequence[Draft], expired: "Expired | None" = None) -> bool:
        """Put `drafts` in place of the newest messages if they are `expected`, or of all when that is None."""
        session = owners.lock(whose(self.user), self.session_id)
        if session is None:
            return False
        branches.refuse_while_running(session)
        parent_id = None
        if expected is not None:
            newest = _newest(session.head_id, len(expected))
            if [message.id for message in newest] != expected:
                return False
            parent_id = _without_expired(session, newest[0].parent_id, expired)
        if drafts:
            transcripts.attach(session, drafts, parent_id)
        else:
            transcripts.show(session, parent_id)
        return True


def _without_expired(session: ChatSession, end: Any, expired: "Expired | None") -> Any:
    """The last message of a branch that says what the one up to `end` says after its expired beginning.

    What is on a branch stays on it, so the rest is copied: the expired beginning remains an earlier branch.
    """
    if expired is None:
        return end
    before = _newest(end, None)
    rest = list(dropwhile(lambda message: expired(_item(message)), before))
    if not rest or len(rest) == len(before):
        return end if rest else None
    last = Message.objects.get(pk=rest[-1].id)
    return transcripts.copy_branch(session, last, first=rest[0].id)[last.pk]


def _newest(head_id: Any, count: int | None) -> list[Line]:
    return transcripts.newest(head_id, formats=[FORMAT], count=count)


def _item(message: Line) -> "TResponseInputItem":
    if message.raw_format == FORMAT:
        item: TResponseInputItem = json.loads(message.raw)
        return item
    return {"role": message.role, "content": message.content}  # type: ignore[misc,return-value]


def _draft(item: "TResponseInputItem") -> Draft:
    """The message that keeps `item`. Raises TypeError for what JSON can't express."""
    raw = dumps(item)
    kind = item.get("type") if isinstance(item, Mapping) else None
    role = item.get("role") if isinstance(item, Mapping) else None
    if isinstance(role, str) and role in ROLES and kind in (None, "message"):
        return Draft(role=ROLES[role], content=_text(item.get("content")), raw=raw, raw_format=FORMAT)
    name = str(item.get("name") or "") if isinstance(item, Mapping) else ""
    content = _other_text(item) if isinstance(item, Mapping) else ""
    return Draft(role="tool", content=content, raw=raw, raw_format=FORMAT, tools_used=[name] if name else [])


def _text(content: Any) -> str:
    """What people can read of a message's content."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(text for part in content if isinstance(part, Mapping) and (text := _part_text(part)))


def _part_text(part: Mapping[str, Any]) -> str:
    text = part.get("text") or part.get("refusal")
    if isinstance(text, str):
        return text
    kind = str(part.get("type") or "part").removeprefix("input_").removeprefix("output_")
    name = part.get("filename")
    return f"[{kind}: {name}]" if isinstance(name, str) and name else f"[{kind}]"


def _other_text(item: Mapping[str, Any]) -> str:
    """One readable line or text for an item that isn't a message: a call, its result, reasoning, and the like."""
    kind = str(item.get("type") or "")
    if "__enc__" in item:
        return "[encrypted]"
    if kind == "reasoning":
        return _text(item.get("summary")) or "[reasoning]"
    if "output" in item:
        output = item["output"]
        return _text(output) or (output if isinstance(output, str) else dumps(output))
    if "name" in item:
        return f"{item['name']}({item.get('arguments') or ''})"
    return f"[{kind}]" if kind else dumps(item)
