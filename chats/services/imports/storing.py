"""From a conversation in the file to rows of ours."""

from uuid import UUID

from django.utils import timezone

from chats.models import ChatSession, Citation, Feedback, Message
from chats.querysets import Person
from chats.services.imports import agents
from chats.services.imports.conversation import Conversation, Said, in_order
from chats.services.imports.linking import Links
from core.ids import parse_uuid, uuid7

BATCH = 1000
SPOKEN = ("user", "assistant")


class Shelf:
    """Stores conversations for one person; courses and material are linked where that person may see them.

    With `is_trusted` the file is an operator's backup: what is kept about replies is stored too, and whoever a
    conversation belonged to gets it back as it was, in a course that they have left as well.
    """

    def __init__(self, user: Person, *, is_trusted: bool = False) -> None:
        self._user = user
        self._is_trusted = is_trusted

    def store(self, conversation: Conversation) -> ChatSession:
        """Write the conversation in batches. Call it in a transaction."""
        links = Links(self._user, sees_all=self._is_trusted and self._is_owner(conversation))
        ordered = in_order(conversation.messages)
        session = self._session(conversation, ordered, links)
        ids = self._ids(ordered, keep=conversation.keeps_ids)
        rows = self._messages(session, ordered, ids)
        Message.objects.bulk_create(rows, batch_size=BATCH)
        Citation.objects.bulk_create(links.citations(ordered, ids), batch_size=BATCH)
        self._rate(ordered, ids)
        agents.store(session, conversation, ids)
        if self._is_trusted:
            agents.store_attempts(ordered, ids)
        head = ids.get(conversation.head or "")
        if head is None and conversation.head is not None:
            head = rows[-1].pk if rows else None
        ChatSession.objects.filter(pk=session.pk).update(head_id=head)
        session.head_id = head
        return session

    def _is_owner(self, conversation: Conversation) -> bool:
        return bool(conversation.owner) and conversation.owner["username"] == self._user.get_username()

    @staticmethod
    def _rate(ordered: list[Said], ids: dict[str, UUID]) -> None:
        given = {ids[one.key]: one.feedback for one in ordered if one.feedback}
        if not given:
            return
        rows = Feedback.objects.bulk_create(
            (Feedback(message_id=pk, rating=one["rating"], comment=one["comment"]) for pk, one in given.items()),
            batch_size=BATCH,
        )
        for row in rows:
            row.created_at = given[row.message_id]["created_at"] or row.created_at
            row.updated_at = given[row.message_id]["updated_at"] or row.created_at
        Feedback.objects.bulk_update(rows, ["created_at", "updated_at"], batch_size=BATCH)

    def _session(self, conversation: Conversation, messages: list[Said], links: Links) -> ChatSession:
        values = {name: value for name, value in conversation.values.items() if value is not None}
        now = timezone.now()
        first = next((one.created_at for one in messages if one.created_at), now)
        last = max((one.created_at for one in messages if one.created_at), default=now)
        created = values.pop("created_at", first)
        active = values.pop("last_activity_at", max(created, last))
        updated = values.pop("updated_at", None)
        if values.pop("pinned", False):
            values["pinned_at"] = now
        if values.pop("archived", False):
            values["archived_at"] = now
        for name in ("client_id", "external_id"):
            if name in values and self._is_taken(name, values[name], values.get("external_user_id", "")):
                del values[name]
        if conversation.agents.get("states") and not self._is_trusted:
            # Agent programs that name no user find a session by its name alone: nobody may put one in their way.
            values.pop("external_id", None)
        session = ChatSession(
            id=self._free_id(conversation.session_id),
            user_id=self._user.pk,  # type: ignore[misc]
            course=links.course(conversation.course),
            title=conversation.title,
            title_source=values.pop("title_source", "import" if conversation.title else ""),
            created_at=created,
            last_activity_at=active,
            **values,
        )
        session.save(force_insert=True)
        if updated is not None:
            ChatSession.objects.filter(pk=session.pk).update(updated_at=updated)
        return session

    def _is_taken(self, name: str, value: str, external_user_id: str) -> bool:
        own = ChatSession.objects.filter(user_id=self._user.pk, **{name: value})  # type: ignore[misc]
        return (own if name == "client_id" else own.filter(external_user_id=external_user_id)).exists()

    def _free_id(self, wanted: str | None) -> UUID:
        uuid = parse_uuid(wanted) if wanted else None
        return uuid7() if uuid is None or ChatSession.objects.filter(pk=uuid).exists() else uuid

    def _ids(self, messages: list[Said], *, keep: bool) -> dict[str, UUID]:
        """New ids by the file's, or with `keep` the file's own where all of them are free here."""
        given = {one.key: parse_uuid(one.key) for one in messages} if keep else {}
        wanted = [uuid for uuid in given.values() if uuid is not None]
        if keep and len(set(wanted)) == len(messages) and not self._any_taken(wanted):
            return {key: uuid for key, uuid in given.items() if uuid is not None}
        # By age, so that versions of a message stay in the order in which they were made.
        by_age = sorted(messages, key=lambda one: given.get(one.key) or UUID(int=0)) if keep else messages
        return {one.key: uuid7() for one in by_age}

    @staticmethod
    def _any_taken(ids: list[UUID]) -> bool:
        slices = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
        return any(Message.objects.filter(pk__in=one).exists() for one in slices)

    @staticmethod
    def _messages(session: ChatSession, ordered: list[Said], ids: dict[str, UUID]) -> list[Message]:
        ordinals: dict[str | None, int] = {None: 0}
        rows = []
        for one in ordered:
            ordinals[one.key] = ordinals[one.parent] + (one.role in SPOKEN)
            rows.append(
                Message(
                    id=ids[one.key],
                    session=session,
                    parent_id=None if one.parent is None else ids[one.parent],
                    ordinal=ordinals[one.key],
                    role=one.role,
                    content=one.content,
                    created_at=one.created_at or session.created_at,
                    **one.values,
                )
            )
        return rows
