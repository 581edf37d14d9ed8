"""One timer for any number of streams."""

import asyncio
import heapq
from collections.abc import Callable

Tick = Callable[[], float | None]


class Wheel:
    """Calls each stream at its own pace, all that are due in the same millisecond from one timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, list[Tick]] = {}
        self._due: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, tick: Tick, delay_ms: float) -> None:
        """Call `tick` after a delay, and again after each delay in milliseconds that it returns."""
        self._put(self._loop.time() * 1000 + delay_ms, tick)
        self._arm()

    def _put(self, at_ms: float, tick: Tick) -> None:
        slot = int(at_ms)
        if slot not in self._slots:
            self._slots[slot] = []
            heapq.heappush(self._due, slot)
        self._slots[slot].append(tick)

    def _arm(self) -> None:
        if not self._due:
            self._timer = None
            return
        when = self._due[0] / 1000
        if self._timer is None or self._timer.when() > when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now_ms = self._loop.time() * 1000
        while self._due and self._due[0] <= now_ms:
            slot = heapq.heappop(self._due)
            for tick in self._slots.pop(slot):
                delay_ms = tick()
                if delay_ms is not None:
                    # Counted from when it was due: a busy moment doesn't slow a stream down for good.
                    self._put(max(slot + delay_ms, now_ms - 1000), tick)
        self._arm()
