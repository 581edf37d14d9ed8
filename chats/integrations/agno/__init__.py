"""Agno: a database whose sessions are conversations on this site.

    agent = Agent(db=DjangoDb(), session_id="…", user_id="…", add_history_to_context=True, num_history_runs=10)

Sessions, runs, memories, knowledge, evaluations, metrics, traces and learnings are kept. A `user_id` is an account's
username or primary key; anybody else's sessions are kept by that name, apart from all accounts. Turns that were made on
the site, over REST or by another framework are runs here, and the messages of runs are turns there.
"""

from chats.integrations.bridge import INSTALL

try:
    import agno.db.base  # noqa: F401
except ImportError as missing:
    raise ImportError(f"DjangoDb needs the package agno: {INSTALL}") from missing

from chats.integrations.agno.database import AsyncDjangoDb, DjangoDb

__all__ = ["AsyncDjangoDb", "DjangoDb"]
