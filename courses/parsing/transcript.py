"""WebVTT and SRT: what was said, and when."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from courses.parsing.blocks import Block, Parsed, ParseError, Progress
from courses.parsing.text import read_text

TIMING = re.compile(r"^\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})")
TAG = re.compile(r"<[^<>]{0,200}>")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]{1,100})>")


def parse_transcript(path: Path, _name: str, _progress: Progress) -> Parsed:
    blocks = list(_cues(read_text(path)))
    if not blocks:
        raise ParseError("No subtitles were found in this file: no line has a time like 00:01:02.000 --> 00:01:04.000.")
    return Parsed(blocks=blocks)


def _cues(source: str) -> Iterator[Block]:
    """One block per cue. What a rolling caption repeats from the cue before is left out."""
    before: list[str] = []
    speaker = ""
    for chunk in re.split(r"\n[ \t]*\n", source):
        lines = chunk.strip("\n").split("\n")
        timed = next((at for at, line in enumerate(lines) if TIMING.match(line)), None)
        if timed is None:
            continue
        timing = TIMING.match(lines[timed])
        assert timing is not None  # noqa: S101 - found above
        spoken = [_plain(line) for line in lines[timed + 1 :]]
        new = [line for line in spoken if line and line not in before]
        before = spoken
        if voice := VOICE.search(chunk):
            name = _plain(voice[1])
            if name != speaker and new:
                new[0] = f"{name}: {new[0]}"
            speaker = name
        if new:
            yield Block("cue", " ".join(new), start_seconds=_seconds(timing[1]))


def _plain(line: str) -> str:
    return " ".join(html.unescape(TAG.sub("", line)).split())


def _seconds(time: str) -> float:
    parts = time.replace(",", ".").split(":")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + float(part)
    return round(seconds, 3)
