"""HTML of texts that were rendered a moment ago."""

from functools import lru_cache

from chats.markup.citations import SourceLink
from chats.markup.document import render


@lru_cache(maxsize=64)
def render_ended(text: str, sources: tuple[SourceLink, ...]) -> tuple[str, ...]:
    """What `render` returns, kept for a while: a reply that ends is rendered to see what it cites, and then for each
    of the pages that show it.
    """
    return tuple(render(text, sources=sources))
