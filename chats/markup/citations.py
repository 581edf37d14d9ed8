"""Citation marks in running text, `[1]` and `[2, 3]`, as chips that open their source."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from chats.markup.safety import is_site_path, sanitise
from chats.markup.source import clean

MARKERS = re.compile(r"\[([0-9]{1,3}(?:[ ]?,[ ]?[0-9]{1,3})*)\]")


@dataclass(frozen=True, slots=True)
class SourceLink:
    """A passage that a text may cite: `marker` as written in the text, `url` a path on this site."""

    marker: int
    url: str
    title: str


def chips_of(sources: Iterable[SourceLink]) -> dict[int, str]:
    """The safe HTML of each source's chip by marker. A source without a path on this site gets none."""
    return {source.marker: _chip(source) for source in sources if is_site_path(source.url)}


def _chip(source: SourceLink) -> str:
    label = clean(f"Source {source.marker}: {source.title}")
    return sanitise(
        f'<a class="citation" href="{escape(clean(source.url))}" data-marker="{source.marker}"'
        f' aria-label="{escape(label)}">{source.marker}</a>',
    )


def split_markers(found: re.Match[str], chips: Mapping[int, str]) -> list[int | str]:
    """The parts of one bracket in order: the markers that are sources, and what is none as text."""
    parts: list[int | str] = []
    unknown: list[str] = []
    for number in found[1].split(","):
        if (marker := int(number)) in chips:
            if unknown:
                parts.append(f"[{', '.join(unknown)}]")
                unknown = []
            parts.append(marker)
        else:
            unknown.append(number.strip())
    if not parts:
        return [found[0]]
    if unknown:
        parts.append(f"[{', '.join(unknown)}]")
    return parts
