"""Open sockets learn at once when their user may not be there any more, whichever door it was decided at."""

from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from chats.services.access import session_digest
from core.broadcast import publish


@receiver(user_logged_out)
def signed_out(request: Any, user: User | None, **_: Any) -> None:
    if user is not None and request is not None:
        news = {"event": "signed_out", "session": session_digest(request.session.session_key)}
        transaction.on_commit(partial(publish, f"user.{user.pk}", news))


@receiver(post_save, sender=User)
@receiver(post_delete, sender=User)
def account_changed(instance: User, **_: Any) -> None:
    transaction.on_commit(partial(publish, f"user.{instance.pk}", {"event": "access.changed"}))
