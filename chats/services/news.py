"""What open pages of a conversation are told, once it is committed.

`event` is one of `turn` (with `question` and maybe `reply`), `reply.queued` and `reply.ended` (with `reply`),
`branch.shown`, `session.updated`, `session.deleted`. The news only says that something happened; whoever hears it reads
the database.
"""

from functools import partial
from uuid import UUID

from django.db import transaction

from core.broadcast import publish


def tell(session_id: UUID, event: str, **fields: object) -> None:
    """Tell every page that has this conversation open, on every process, after the transaction."""
    news = {"event": event, **{name: str(value) for name, value in fields.items()}}
    transaction.on_commit(partial(publish, f"session.{session_id}", news))
