"""Asking for a reply to stop, wherever it runs."""

from functools import partial

from django.db import transaction
from django.utils import timezone

from chats.models import Message
from core.broadcast import publish


@transaction.atomic
def request_stop(reply: Message) -> bool:
    """Ask whoever runs the reply to stop; one that nobody runs ends here. Returns whether it was running.

    The news reaches the reply's process at once, the flag with its next journal flush at the latest.
    """
    from chats.services import replies  # which reads sessions, which stop replies

    if not Message.objects.running().filter(pk=reply.pk).update(stop_requested_at=timezone.now()):
        return False
    # The update holds the row: whoever wants to claim it waits for this transaction.
    present = Message.objects.get(pk=reply.pk)
    if present.state == "queued":
        replies.end_waiting(replies.stopped(present))
    else:
        transaction.on_commit(partial(publish, "replies.stop", {"reply": str(reply.pk)}))
    return True
