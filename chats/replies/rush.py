"""First tokens before last words: what comes first while many replies begin at once."""

import asyncio
from contextlib import suppress
from types import TracebackType

# An ending, whose text its viewers have already, waits so long at most.
LONGEST_SECONDS = 0.3


class Rush:
    """Entered while a reply is on its way to the model. `over` waits until none is, though never for long."""

    def __init__(self) -> None:
        self._beginning = 0
        self._over = asyncio.Event()
        self._over.set()

    def __enter__(self) -> None:
        self._beginning += 1
        self._over.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._beginning -= 1
        if not self._beginning:
            self._over.set()

    async def over(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._over.wait()
