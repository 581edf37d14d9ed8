"""The Markdown dialect: CommonMark with GFM's tables, strikethrough and task lists.

Formulas are found before parsing (see `formulas`), so the parser's own math is off: it knows neither
pandoc's rule for money nor TeX's brackets, and reads a line of an equation that begins with "+" as a list.
"""

from collections.abc import Mapping

from pyromark import Markdown, Options
from pyromark.event import BrokenLink

from chats.markup.limits import DEFINITIONS

_OPTIONS = Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH | Options.ENABLE_TASKLISTS

markdown = Markdown(options=_OPTIONS)

Definitions = Mapping[str, tuple[str, str]]


def _label(text: str) -> str:
    return " ".join(text.split()).casefold()


def definitions_of(text: str) -> Definitions:
    """The link definitions of the whole text, `(url, title)` by label, at most `DEFINITIONS` of them."""
    if "]:" not in text:
        return {}
    found = list(markdown.reference_definitions(text).items())[:DEFINITIONS]
    return {_label(name): (link["dest"], link["title"] or "") for name, link in found}


def markdown_with(definitions: Definitions) -> Markdown:
    """A parser that also knows links defined elsewhere in the text."""
    if not definitions:
        return markdown

    def resolve(link: BrokenLink) -> tuple[str, str] | None:
        return definitions.get(_label(link["reference"]))

    return Markdown(options=_OPTIONS, broken_link_callback=resolve)
