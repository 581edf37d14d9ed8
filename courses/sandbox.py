"""Parsing in a child process that may die without harm: memory, time and files are limited there."""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from courses.parsing.blocks import Block, ParseError

log = structlog.get_logger(__name__)

ROOT = Path(__file__).resolve().parent.parent
SILENCE_SECONDS = 60.0
TOTAL_SECONDS = 300.0
OUT_OF_TIME = "Reading this file takes longer than is allowed."
DIED = "Reading this file failed: it is damaged, or needs more memory than is allowed."
OUTPUT_BYTES = 400_000_000


@dataclass(slots=True)
class ParsedFile:
    """What the child found. `page_count` counts pages, slides or cells; `notes` say what was left out."""

    blocks: list[Block] = field(default_factory=list)
    page_count: int | None = None
    notes: list[str] = field(default_factory=list)
    page_sizes: list[list[float]] = field(default_factory=list)


def parse_file(path: Path, kind: str, name: str, on_page: Callable[[int, int], None]) -> ParsedFile:
    """Parse the file in a child process, calling `on_page(done, all)` as it goes along (at least every few seconds
    while pages are read). Raises ParseError with a readable message, whatever happens to the child.
    """
    parsed = ParsedFile()
    with _child([str(path), kind, name]) as lines:
        for line in lines:
            message = json.loads(line)
            if "error" in message:
                if "cause" in message:
                    log.warning("parser failed", kind=kind, cause=message["cause"])
                raise ParseError(message["error"])
            if "page" in message:
                on_page(message["page"], message["pages"])
            elif "blocks" in message:
                parsed.blocks.extend(Block(**block) for block in message["blocks"])
            else:
                parsed.page_count = message["done"]["page_count"]
                parsed.notes = message["done"]["notes"]
                parsed.page_sizes = message["done"]["page_sizes"]
                return parsed
    raise ParseError(DIED)


@contextmanager
def _child(arguments: list[str]) -> Iterator[Iterator[bytes]]:
    """The lines that a parsing child writes. The child is gone when the block is left, however it is left."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "courses.parsing", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=bare_environment(),
        start_new_session=True,
    )
    try:
        yield _lines(process)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def bare_environment() -> dict[str, str]:
    """No secrets, and one thread: the numerical libraries else reserve memory for every core."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Whole lines as they come; ParseError when none comes for too long, or they are too many."""
    assert process.stdout is not None  # noqa: S101 - asked for above
    output = process.stdout.fileno()
    deadline = time.monotonic() + TOTAL_SECONDS
    buffer, size = bytearray(), 0
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            wait = min(SILENCE_SECONDS, deadline - time.monotonic())
            if wait <= 0 or not selector.select(wait):
                raise ParseError(OUT_OF_TIME)
            chunk = os.read(output, 1 << 20)
            if not chunk:
                return
            size += len(chunk)
            if size > OUTPUT_BYTES:
                raise ParseError(DIED)
            buffer += chunk
            *whole, rest = bytes(buffer).split(b"\n") if b"\n" in chunk else [bytes(buffer)]
            buffer = bytearray(rest)
            yield from whole
