"""What operators do to other people's conversations. The doors (the admin) have checked their permissions."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from chats.models import RUNNING, AccessLog, ChatSession, Message
from chats.services.news import tell
from chats.services.stopping import request_stop


def may_read_text(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether `user` may read what others wrote: with HIDE_MESSAGE_TEXT only who has the permission for it."""
    if not settings.HIDE_MESSAGE_TEXT:
        return True
    return isinstance(user, PermissionsMixin) and user.has_perm("chats.view_message_text")


def note_access(*, viewer: AbstractBaseUser | AnonymousUser, sessions: Iterable[ChatSession], action: str) -> None:
    """Write down that `viewer` saw or took these conversations. One's own are nobody else's business."""
    shown = may_read_text(viewer)
    AccessLog.objects.bulk_create(
        AccessLog(viewer_id=viewer.pk, owner_id=session.user_id, session=session.pk, action=action, text_shown=shown)
        for session in sessions
        if session.user_id != viewer.pk
    )


@transaction.atomic
def put_away(*, session_ids: Sequence[UUID]) -> int:
    """Soft-delete these sessions and stop their replies. Returns how many were not deleted before."""
    for reply in Message.objects.running().filter(session_id__in=session_ids):
        request_stop(reply)
    changed = _lock(ChatSession.objects.filter(pk__in=session_ids, deleted_at__isnull=True))
    return _update(changed, deleted_at=timezone.now())


@transaction.atomic
def bring_back(*, session_ids: Sequence[UUID]) -> int:
    """Restore soft-deleted sessions. Returns how many were deleted."""
    return _update(_lock(ChatSession.objects.filter(pk__in=session_ids, deleted_at__isnull=False)), deleted_at=None)


@transaction.atomic
def pin(*, session_ids: Sequence[UUID]) -> int:
    """Keep these sessions from retention. Returns how many were not pinned before."""
    chosen = ChatSession.objects.filter(pk__in=session_ids, pinned_at__isnull=True)
    return _update(_lock(chosen), pinned_at=timezone.now())


@transaction.atomic
def unpin(*, session_ids: Sequence[UUID]) -> int:
    """Let retention have these sessions again. Returns how many were pinned."""
    return _update(_lock(ChatSession.objects.filter(pk__in=session_ids, pinned_at__isnull=False)), pinned_at=None)


def _lock(sessions: "QuerySet[ChatSession]") -> list[ChatSession]:
    return list(sessions.only("pk", "user_id").order_by("pk").select_for_update(of=("self",)))


def _update(sessions: list[ChatSession], **values: object) -> int:
    ids = [session.pk for session in sessions]
    changed = ChatSession.objects.filter(pk__in=ids).update(**values, updated_at=timezone.now())
    for session in sessions:
        tell(session.pk, "session.updated")
    return changed


def stop_replies(chosen: "QuerySet[Message]") -> int:
    """Stop the running ones among these replies. Returns how many were running."""
    with transaction.atomic():
        return sum(request_stop(reply) for reply in chosen.filter(state__in=RUNNING).only("pk", "session_id"))


def requeue(chosen: "QuerySet[Message]") -> int:
    """Try the failed ones among these replies again, where nothing has followed them. Returns how many.

    Whoever makes replies finds them as it finds those of a process that died.
    """
    count = 0
    for reply in chosen.filter(state="failed", session__deleted_at__isnull=True).only("pk", "session_id"):
        try:
            with transaction.atomic():
                count += _requeue(reply)
        except IntegrityError:  # another reply of the conversation is running
            continue
    return count


def _requeue(reply: Message) -> int:
    ChatSession.objects.select_for_update(of=("self",)).get(pk=reply.session_id)
    changed = Message.objects.filter(
        ~Exists(Message.objects.filter(parent_id=OuterRef("pk"))), pk=reply.pk, state="failed"
    ).update(
        state="queued",
        runner=None,
        content="",
        reasoning="",
        error_code="",
        error_message="",
        finish_reason="",
        stop_requested_at=None,
        first_token_at=None,
        finished_at=None,
    )
    if changed:
        tell(reply.session_id, "reply.queued", reply=reply.pk)
    return changed
