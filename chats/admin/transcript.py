"""A conversation as an operator reads it: one branch with its side branches marked, sources, errors, thumbs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.safestring import SafeString, mark_safe

from chats import markup
from chats.models import ChatSession, Message
from chats.representation import source_url
from chats.services import branches, history
from core.ids import parse_uuid

PAGE = 50
ALL_ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True)
class Line:
    """One message, ready for a template. `versions` are the ids of its siblings, itself among them, oldest first."""

    message: Message
    blocks: list[SafeString]
    versions: list[UUID]

    @property
    def place(self) -> int:
        return self.versions.index(self.message.pk) + 1

    @property
    def others(self) -> list[tuple[int, UUID]]:
        """(number, id) of the other versions."""
        return [(number, pk) for number, pk in enumerate(self.versions, 1) if pk != self.message.pk]


@dataclass(frozen=True)
class Transcript:
    lines: list[Line]
    older: UUID | None  # the message to begin at for the page before this one


def read(*, session: ChatSession, at: object = None, branch: object = None, text: bool = True) -> Transcript:
    """The last messages up to the message `at`, or of the newest branch that goes through the message `branch`.

    Without either, of the branch that its owner sees. With `text` false, nothing that anybody wrote is in it.
    """
    through = _own(session, branch)
    start = branches.newest_leaf(through) if through else _own(session, at) or _end(session)
    if start is None:
        return Transcript([], None)
    newest_first = branches.ids_up_from(start=start, session_id=session.pk, count=PAGE + 1, roles=ALL_ROLES)
    older = newest_first[PAGE] if len(newest_first) > PAGE else None
    rows = Message.objects.filter(pk__in=newest_first[:PAGE]).defer("raw").order_by("ordinal", "id")
    found = {message.pk: message for message in rows.select_related("feedback").prefetch_related("citations")}
    messages = [found[pk] for pk in reversed(newest_first[:PAGE]) if pk in found]
    for message in messages:
        if message.is_running:
            message.content, message.reasoning = history.text_so_far(message)
        if not text:
            _blank(message)
    versions = _versions(session, messages)
    return Transcript(
        [Line(message, blocks(message), versions[message.parent_id, message.role]) for message in messages], older
    )


def blocks(message: Message) -> list[SafeString]:
    """A message's text as safe HTML: the same renderer as on the student's page."""
    links = (
        markup.SourceLink(citation.marker, url, citation.document_title)
        for citation in message.citations.all()
        if (url := source_url(citation))
    )
    return [mark_safe(block) for block in markup.render(message.content, sources=links)]  # noqa: S308 - sanitised there


def _own(session: ChatSession, message_id: object) -> UUID | None:
    uuid = parse_uuid(message_id) if message_id else None
    return uuid if uuid and Message.objects.filter(pk=uuid, session=session).exists() else None


def _end(session: ChatSession) -> UUID | None:
    newest = Message.objects.filter(session=session).order_by("-id").values_list("pk", flat=True)
    return session.head_id or newest.first()


def _versions(session: ChatSession, messages: Sequence[Message]) -> dict[tuple[UUID | None, str], list[UUID]]:
    """Ids of all versions by (parent, role), those removed from view too."""
    siblings = Message.objects.filter(session=session, parent_id__in={message.parent_id for message in messages})
    roots = Message.objects.filter(session=session, parent__isnull=True)
    if any(message.parent_id is None for message in messages):
        siblings = siblings | roots
    found: defaultdict[tuple[UUID | None, str], list[UUID]] = defaultdict(list)
    for pk, parent, role in siblings.order_by("id").values_list("pk", "parent_id", "role"):
        found[parent, role].append(pk)
    return found


def _blank(message: Message) -> None:
    message.content = f"*Hidden: {len(message.content):,} characters.*"
    message.reasoning = ""
    message.raw = ""
    if getattr(message, "feedback", None):
        message.feedback.comment = ""
