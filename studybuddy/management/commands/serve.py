"""`manage.py serve`: one web process."""

import os
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings

from studybuddy import setup
from studybuddy.starting import StartCommand, refuse_occupied

log = structlog.get_logger(__name__)


class Command(StartCommand):
    help = "Serve the site: pages, API, websockets, and the replies of this process."

    def handle(self, *, host: str, port: int, **_: Any) -> None:
        refuse_occupied(host, port)
        setup.collect_static_files_once()
        serve = server()
        if problem := setup.what_the_database_lacks():
            self.stderr.write(problem)
        self.stdout.write(f"Serving on http://{host}:{port}")
        log.info("serving", host=host, port=port, pid=os.getpid(), server=settings.ASGI_SERVER)
        serve(host, port)


def server() -> Callable[[str, int], None]:
    """What `ASGI_SERVER` names. The other is not imported: it would only take memory."""
    if settings.ASGI_SERVER == "uvicorn":
        from studybuddy.serving import with_uvicorn

        return with_uvicorn.serve
    # Importing Daphne's server installs Twisted's asyncio reactor; nothing else here may have done so before. It
    # stays on Python's own event loop: on uvloop, sends broke on watchers that it had closed.
    from studybuddy.serving import with_daphne

    return with_daphne.serve
