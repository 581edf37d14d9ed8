"""Removing for good: conversations, or everything about a person, with a receipt of what went.

Rows are removed by one DELETE a table, without reading them first, so that a conversation of 10,000 messages costs no
more memory than one of ten. What hangs on messages is found from the models: a table added later goes too.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import CASCADE, SET_NULL, Model, QuerySet

from chats.models import AccessLog, AgentDocument, ChatSession, Message
from chats.services import agents
from chats.services.news import tell
from chats.services.stopping import request_stop
from core.broadcast import publish
from core.models import ApiToken
from courses.models import Enrollment

Receipt = dict[str, int]

BATCH = 500
ERASED = "(erased)"
ANONYMISED = "references anonymised"


def contents(session_ids: Sequence[UUID]) -> Receipt:
    """What would go with these conversations: rows by the name of their kind."""
    return _without_zeros({name: rows.count() for name, rows in _tables(session_ids)})


@transaction.atomic
def erase_sessions(session_ids: Sequence[UUID]) -> Receipt:
    """Remove these conversations and all that hangs on them. Returns the rows removed, by the name of their kind."""
    for reply in Message.objects.running().filter(session_id__in=session_ids):
        request_stop(reply)
    # The head refers to a message that goes before its conversation does.
    ChatSession.objects.filter(pk__in=session_ids, head__isnull=False).update(head=None)
    removed = _without_zeros({name: _delete(rows) for name, rows in _tables(session_ids)})
    for session_id in session_ids:
        tell(session_id, "session.deleted")
    return removed


def delete_chats(*, user: User) -> Receipt:
    """Remove all conversations of `user`, those put away too, a batch at a time. Returns the receipt."""
    total: Counter[str] = Counter()
    for batch in _batches_of(user):
        total.update(erase_sessions(batch))
    return dict(total)


def forget(*, user: User) -> Receipt:
    """Remove all conversations of `user` and what agent programs remember of them. Returns the receipt."""
    receipt = Counter(delete_chats(user=user))
    name, rows = _rows(AgentDocument, {"user": user})
    receipt[name] += _delete(rows)
    return _without_zeros(receipt)


def purge(*, user: User, dry_run: bool = False) -> Receipt:
    """Remove everything about `user` and the account itself; what others need loses the name only.

    Returns the rows removed by the name of their kind, and the references anonymised. A dry run counts and changes
    nothing. Safe to run again after it was interrupted.
    """
    with transaction.atomic():
        receipt = Counter(_account_receipt(user))
    if dry_run:
        for batch in _batches_of(user):
            receipt.update(contents(batch))
        return dict(receipt)
    user.is_active = False  # nothing new may begin while this goes on
    user.save(update_fields=["is_active"])
    publish(f"user.{user.pk}", {"event": "signed_out"})
    _anonymise_admin_log(user)
    receipt.update(delete_chats(user=user))
    with transaction.atomic():
        agents.anonymise_runs(user)
        for session in _sign_ins(user):
            session.delete()
        user.delete()
    return dict(receipt)


def _batches_of(user: User) -> Iterator[list[UUID]]:
    """The ids of all the user's conversations, in batches. Ids only grow, so a batch may be removed meanwhile."""
    mine = ChatSession.objects.filter(user=user).order_by("pk").values_list("pk", flat=True)
    batch = list(mine[:BATCH])
    while batch:
        yield batch
        batch = list(mine.filter(pk__gt=batch[-1])[:BATCH])


def _tables(session_ids: Sequence[UUID]) -> Iterator[tuple[str, "QuerySet[Any]"]]:
    """Every kind of row that goes with the conversations, those that refer to others first."""
    for relation in _relations_to(Message):
        if relation.on_delete is CASCADE:
            yield _rows(relation.related_model, {f"{relation.field.name}__session__in": session_ids})
    yield _rows(Message, {"session__in": session_ids})
    for relation in _relations_to(ChatSession):
        if relation.on_delete is CASCADE and relation.related_model is not Message:
            yield _rows(relation.related_model, {f"{relation.field.name}__in": session_ids})
    yield _rows(ChatSession, {"pk__in": session_ids})


def _relations_to(model: type[Model]) -> Iterator[Any]:
    """What refers to `model` by a foreign key, whether or not the relation has a name on this side."""
    for field in model._meta.get_fields(include_hidden=True):
        if field.auto_created and not field.concrete and (field.one_to_many or field.one_to_one):
            yield field


def _rows(model: Any, conditions: dict[str, Any]) -> tuple[str, "QuerySet[Any]"]:
    return str(model._meta.verbose_name_plural), model._base_manager.filter(**conditions)


def _delete(rows: "QuerySet[Any]") -> int:
    # `delete()` would read every row to find what refers to it; `_tables` has said that in its order.
    return int(rows._raw_delete(rows.db))  # noqa: SLF001


def _account_receipt(user: User) -> Receipt:
    """What goes and what is anonymised besides conversations, counted by the relations that lead to the account."""
    receipt: Counter[str] = Counter({"accounts": 1, "sign-ins": len(_sign_ins(user))})
    for relation in _relations_to(User):
        if relation.related_model is ChatSession or relation.on_delete not in (CASCADE, SET_NULL):
            continue
        name = str(relation.related_model._meta.verbose_name_plural)
        count = relation.related_model._base_manager.filter(**{relation.field.name: user}).count()
        if relation.on_delete is SET_NULL:
            receipt[ANONYMISED] += count
        else:
            receipt[name] += count
    receipt[ANONYMISED] += _admin_log_about(user).count() + agents.runs_elsewhere(user).count()
    return _without_zeros(receipt)


def _sign_ins(user: User) -> list[Session]:
    """The browser sessions in which `user` is signed in. They name their user only inside."""
    return [row for row in Session.objects.all().iterator() if row.get_decoded().get("_auth_user_id") == str(user.pk)]


def _admin_log_about(user: User) -> "QuerySet[LogEntry]":
    """Lines of the admin's log that name the person: they stay, for what was done, without the name."""
    about: dict[type[Model], list[str]] = {User: [str(user.pk)]}
    for model in (Enrollment, ApiToken, ChatSession):
        about[model] = [str(pk) for pk in model._base_manager.filter(user=user).values_list("pk", flat=True)]
    found = LogEntry.objects.none()
    for named, ids in about.items():
        found |= LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(named), object_id__in=ids[:1000]
        )
    return found.exclude(object_repr=ERASED).exclude(user=user)


def _anonymise_admin_log(user: User) -> None:
    _admin_log_about(user).update(object_repr=ERASED)
    AccessLog.objects.filter(owner=user).update(owner=None)


def _without_zeros(counts: Receipt) -> Receipt:
    return {name: count for name, count in counts.items() if count}
