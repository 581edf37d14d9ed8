"""What a web process does first on its event loop, and last."""

import gc
import sys

from django.conf import settings

from chats import presence
from chats.replies import supervisor

# How long a thread that works for the database may keep the event loop from going on, in seconds. Python's own 5 ms
# would be paid by every token that comes while questions are being asked.
SWITCH_SECONDS = 0.0005


def begin() -> None:
    """Look after replies from now on. What was imported until now is no garbage.

    It lives as long as the process, and a full collection that goes through it stops every token for a tenth of a
    second and more.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    supervisor.running()
    gc.collect()
    gc.freeze()


async def drain() -> None:
    """Let running replies end or hand them over, and send pages elsewhere. Nobody can connect here any more."""
    replies = supervisor.running()
    replies.draining = True
    await presence.send_away(idle_only=True)
    await replies.drain(settings.SHUTDOWN_GRACE_SECONDS)
    await replies.stop()
    await presence.send_away(idle_only=False)
