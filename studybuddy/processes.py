"""Several processes of the site as one: started together, stopped together."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

# What a process gets beyond SHUTDOWN_GRACE_SECONDS before it is killed.
STOP_SECONDS = 5.0
POLL_SECONDS = 0.2


def run_together(commands: Sequence[Sequence[str]], *, say: Callable[[str], None]) -> int:
    """Run `manage.py` commands until one ends or we are told to stop; then stop them all. Returns the exit code."""
    manage = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py")]
    # Sessions of their own, so that a Ctrl-C in the terminal reaches this process alone.
    started = [subprocess.Popen([*manage, *command], start_new_session=True) for command in commands]  # noqa: S603
    told: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: told.append(received))
    while not told and all(process.poll() is None for process in started):
        time.sleep(POLL_SECONDS)
    ended = [command[0] for command, process in zip(commands, started, strict=True) if process.poll() is not None]
    stop(started)
    if not told:
        say(f"{ended[0]} ended, so the rest was stopped. What it said last is above.")
    return 0 if told else 1


def stop(started: Sequence["subprocess.Popen[bytes]"]) -> None:
    """End them in good order, by force when that takes too long."""
    for process in started:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + settings.SHUTDOWN_GRACE_SECONDS + STOP_SECONDS
    for process in started:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
