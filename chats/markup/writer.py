"""Parsed Markdown to safe top-level HTML blocks.

Finished pieces (formulas, citation chips, code) are sanitised when they are made, kept by their users' caches, and
stand as marks in the text around them, which is sanitised for itself; then the marks are filled. A growing
paragraph with ten formulas in it so costs what one without any costs.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, ClassVar

from pyromark import Markdown

from chats.markup import mathml
from chats.markup.citations import MARKERS, split_markers
from chats.markup.formulas import Formula
from chats.markup.highlight import figure
from chats.markup.limits import NESTING, Allowance
from chats.markup.safety import LINK_REL, URL_SCHEMES, is_site_path, sanitise
from chats.markup.source import LINE_BREAK, MARK, MARK_OPEN, fill_marks, mark

_HEADINGS = {"H1": "h3", "H2": "h4", "H3": "h5", "H4": "h6", "H5": "h6", "H6": "h6"}
_INLINE = {"Emphasis": "em", "Strong": "strong", "Strikethrough": "del"}
_ALIGNED = {"Center": ' class="align-center"', "Right": ' class="align-right"'}
_TABLE = '<div class="table" dir="auto" tabindex="0" role="region" aria-label="Table"><table>'
_SPECIAL = re.compile(rf"{MARK.pattern}|{MARKERS.pattern}|https?://[^\s<>{MARK_OPEN}]+")
_TRAILING = re.compile(r"[\"'.,;:!?*_~]+$")
_SHORTCUTS = frozenset({"Shortcut", "ShortcutUnknown"})
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


def safe_url(url: str) -> str | None:
    """The URL if people may follow it from a message: http, https, mailto or a path on this site."""
    if is_site_path(url):
        return url
    scheme = _SCHEME.match(url)
    return url if scheme and scheme[0][:-1].lower() in URL_SCHEMES else None


class Writer:
    """Writes the blocks of one piece of text. Used once."""

    def __init__(
        self,
        formulas: Sequence[Formula],
        chips: Mapping[int, str],
        allowance: Allowance,
        *,
        colour: bool = True,
    ) -> None:
        self._formulas = formulas
        self._written = [formula.written for formula in formulas]
        self._chips = chips
        self._allowance = allowance
        self._colour = colour
        self._out: list[str] = []
        self._closing: list[str] = []
        self._islands: list[str] = []
        self._anchors = 0
        self._replaced_from: int | None = None
        self._described_from = 0
        self._code: list[str] | None = None
        self._info = ""
        self._alignments: Sequence[str] = ()
        self._column = 0
        self._in_head = False

    def blocks(self, parser: Markdown, text: str) -> list[str]:
        """The safe HTML of each top-level block of the text, in order."""
        blocks: list[str] = []
        for event in parser.events(text):
            if isinstance(event, str):
                self._bare(event)
            else:
                (kind, value), *_ = event.items()
                self._handlers[kind](self, value)
            if not self._closing and self._code is None and self._out:
                self._finish_block(blocks)
        return blocks

    def _finish_block(self, blocks: list[str]) -> None:
        html = fill_marks(sanitise("".join(self._out)), self._islands)
        self._out.clear()
        self._islands.clear()
        if html:
            blocks.append(html)

    def _island(self, html: str) -> None:
        """Puts HTML that is already safe."""
        self._out.append(mark(len(self._islands)))
        self._islands.append(html)

    # Elements

    def _start(self, tag: Any) -> None:
        name, value = (tag, None) if isinstance(tag, str) else next(iter(tag.items()))
        opener = self._openers.get(name)
        if opener is not None:
            opener(self, value)
        elif name in _INLINE and len(self._closing) < NESTING:
            self._open(f"<{_INLINE[name]}>", f"</{_INLINE[name]}>")
        else:
            self._closing.append("")

    def _open(self, opening: str, closing: str) -> None:
        self._out.append(opening)
        self._closing.append(closing)

    def _end(self, tag: Any) -> None:
        if tag == "CodeBlock":
            self._end_code()
            return
        if tag == "TableHead":
            self._in_head = False
        elif tag == "Link":
            self._end_link()
        elif tag == "Image":
            self._end_image()
        self._out.append(self._closing.pop())

    @property
    def _direction(self) -> str:
        """The outermost element of a block finds its direction, those within follow it."""
        return "" if self._closing else ' dir="auto"'

    def _start_paragraph(self, _: Any) -> None:
        self._open(f"<p{self._direction}>", "</p>")

    def _start_heading(self, heading: Any) -> None:
        tag = _HEADINGS[heading["level"]]
        self._open(f"<{tag}{self._direction}>", f"</{tag}>")

    def _start_quote(self, _: Any) -> None:
        if len(self._closing) < NESTING:
            self._open(f"<blockquote{self._direction}>", "</blockquote>")
        else:
            self._closing.append("")

    def _start_list(self, first: int | None) -> None:
        if len(self._closing) >= NESTING:
            self._closing.append("")
        elif first is None:
            self._open(f"<ul{self._direction}>", "</ul>")
        else:
            start = "" if first == 1 else f' start="{first}"'
            self._open(f"<ol{start}{self._direction}>", "</ol>")

    def _start_item(self, _: Any) -> None:
        if self._closing[-1]:
            self._open("<li>", "</li>")
        else:
            self._open("\n", "")

    def _start_table(self, alignments: Sequence[str]) -> None:
        self._alignments = alignments
        self._open(_TABLE, "</tbody></table></div>")

    def _start_table_head(self, _: Any) -> None:
        self._in_head = True
        self._column = 0
        self._open("<thead><tr>", "</tr></thead><tbody>")

    def _start_table_row(self, _: Any) -> None:
        self._column = 0
        self._open("<tr>", "</tr>")

    def _start_table_cell(self, _: Any) -> None:
        tag = "th" if self._in_head else "td"
        alignment = self._alignments[self._column] if self._column < len(self._alignments) else "None"
        self._column += 1
        self._open(f"<{tag}{_ALIGNED.get(alignment, '')}>", f"</{tag}>")

    def _start_link(self, link: Any) -> None:
        if link["link_type"] in _SHORTCUTS and self._is_marker(link["id"]):
            self._island(self._chips[int(link["id"])])
            self._replaced_from = len(self._out)
            self._closing.append("")
            self._anchors += 1
            return
        url = fill_marks(link["dest_url"], self._written)
        self._open_link(f"mailto:{url}" if link["link_type"] == "Email" else url)

    def _start_image(self, link: Any) -> None:
        """Pictures of other hosts are never loaded: a link with the picture's description stands for one."""
        self._open_link(fill_marks(link["dest_url"], self._written))
        self._described_from = len(self._out)

    def _open_link(self, url: str) -> None:
        target = safe_url(url)
        self._anchors += 1
        if target is None or self._anchors > 1:
            self._closing.append("")
        else:
            self._open(_anchor(target), "</a>")

    def _end_link(self) -> None:
        self._anchors -= 1
        if self._replaced_from is not None:
            del self._out[self._replaced_from :]
            self._replaced_from = None

    def _end_image(self) -> None:
        self._anchors -= 1
        if len(self._out) == self._described_from:
            self._out.append("Image")

    def _is_marker(self, label: str) -> bool:
        return label.isdecimal() and len(label) <= 3 and int(label) in self._chips

    def _start_code(self, kind: Any) -> None:
        self._code = []
        self._info = fill_marks(kind["Fenced"], self._written) if isinstance(kind, dict) else ""

    def _end_code(self) -> None:
        code = "".join(self._code or ()).removesuffix("\n")
        self._code = None
        html = figure(code, self._info, self._allowance if self._colour else None)
        self._island(sanitise(html))

    # Leaves

    def _bare(self, event: str) -> None:
        self._out.append({"SoftBreak": "\n", "HardBreak": "<br>\n", "Rule": "<hr>"}[event])

    def _text(self, text: str) -> None:
        if self._code is not None:
            self._code.append(fill_marks(text, self._written))
        elif "[" in text or MARK_OPEN in text or "://" in text:
            self._special_text(text)
        else:
            self._out.append(escape(text, quote=False))

    def _special_text(self, text: str) -> None:
        done = 0
        for found in _SPECIAL.finditer(text):
            self._out.append(escape(text[done : found.start()], quote=False))
            done = found.end()
            if found[1] is not None:
                self._island(mathml.to_html(self._formulas[int(found[1])], self._allowance))
            elif self._anchors:
                self._out.append(escape(found[0], quote=False))
            elif found[2] is not None:
                self._markers(found[0])
            else:
                self._bare_url(found[0])
        self._out.append(escape(text[done:], quote=False))

    def _markers(self, written: str) -> None:
        found = MARKERS.fullmatch(written)
        for part in split_markers(found, self._chips) if found else [written]:
            if isinstance(part, int):
                self._island(self._chips[part])
            else:
                self._out.append(escape(part, quote=False))

    def _bare_url(self, written: str) -> None:
        url = _TRAILING.sub("", written)
        if url.endswith(")") and url.count(")") > url.count("("):
            url = url.rstrip(")")
        self._out += (_anchor(url), escape(url, quote=False), "</a>", escape(written[len(url) :], quote=False))

    def _inline_code(self, code: str) -> None:
        self._out.append(f"<code>{escape(fill_marks(code, self._written), quote=False)}</code>")

    def _html(self, html: str) -> None:
        """Raw HTML is shown, not obeyed; only a line break does nothing but what Markdown itself can do."""
        if LINE_BREAK.fullmatch(html):
            self._out.append("<br>")
        else:
            self._out.append(escape(fill_marks(html, self._written), quote=False))

    def _start_html_block(self, _: Any) -> None:
        self._start_paragraph(None)

    def _task(self, done: bool) -> None:
        checked = " checked" if done else ""
        self._out.append(f'<input type="checkbox" disabled{checked}> ')

    _handlers: ClassVar[Mapping[str, Callable[[Any, Any], None]]] = {
        "Start": _start,
        "End": _end,
        "Text": _text,
        "Code": _inline_code,
        "Html": _html,
        "InlineHtml": _html,
        "TaskListMarker": _task,
    }
    _openers: ClassVar[Mapping[str, Callable[[Any, Any], None]]] = {
        "Paragraph": _start_paragraph,
        "Heading": _start_heading,
        "BlockQuote": _start_quote,
        "List": _start_list,
        "Item": _start_item,
        "Table": _start_table,
        "TableHead": _start_table_head,
        "TableRow": _start_table_row,
        "TableCell": _start_table_cell,
        "Link": _start_link,
        "Image": _start_image,
        "CodeBlock": _start_code,
        "HtmlBlock": _start_html_block,
    }


def _anchor(url: str) -> str:
    return f'<a href="{escape(url)}" rel="{LINK_REL}" target="_blank">'
