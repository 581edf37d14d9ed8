"""`manage.py serve`: one web process."""

import asyncio
from typing import Any

import uvloop

from studybuddy import setup
from studybuddy.starting import StartCommand, refuse_occupied


class Command(StartCommand):
    help = "Serve the site with Daphne: pages, API, websockets, and the replies of this process."

    def handle(self, *, host: str, port: int, **_: Any) -> None:
        refuse_occupied(host, port)
        setup.collect_static_files_once()
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        # Importing Daphne's server makes its event loop, of the kind just named, and installs Twisted's asyncio reactor
        # on it; nothing else here may have done so before.
        from studybuddy.server import serve

        if problem := setup.what_the_database_lacks():
            self.stderr.write(problem)
        self.stdout.write(f"Serving on http://{host}:{port}")
        serve(host, port)
