"""The open end of a text that is being written: shown as it will probably be, and cheaply.

Only what is shown in between depends on this module. What stays is rendered without it, once it is complete.
"""

import re
from html import escape

from chats.markup.formulas import Extraction, extract

# The beginning of a citation; of a link's address.
_CITATION_BEGUN = re.compile(r"\[[0-9, ]{0,13}\Z")
_LINK_BEGUN = re.compile(r"!?\[([^\[\]\n]{1,200})\]\([^()\s]{0,1000}\Z")
_LINK_CHARS = 1_250

_PLAIN = re.compile(r"(?:[^\W_]|[ ,;'.()])+")
_LETTER = re.compile(r"[^\W\d_]")
_CLOSERS = frozenset({"p", "li", "ul", "ol", "blockquote", "h3", "h4", "h5", "h6", "strong", "code"})
_CODE_END = "</code></pre></figure>"


def complete(tail: str) -> Extraction:
    """The open end with what was begun in its last line closed or kept back, and its formulas taken out."""
    found = extract(tail)
    text = found.text if found.unfinished is None else found.text[: found.unfinished]
    line_start = text.rfind("\n") + 1
    last_line = text[line_start:]
    end = last_line[-_LINK_CHARS:]
    if "[" in end:
        last_line = last_line[:-_LINK_CHARS] + _CITATION_BEGUN.sub("", _LINK_BEGUN.sub(r"\1", end))
    return Extraction(text[:line_start] + _close(last_line), found.formulas, found.unfinished)


def _close(line: str) -> str:
    """The line with bold type or code that it leaves open closed at its end, without what is half a sign."""
    if line.endswith("\\") and not line.endswith("\\\\"):
        line = line[:-1]
    if line.count("`") % 2:
        return line[:-1] if line.endswith("`") else f"{line}`"
    text = line.rstrip("*")
    if text.count("**") % 2:
        return f"{text.rstrip()}**"
    # Stars after a space open something, of which nothing is there yet.
    return text if not text or text[-1].isspace() else line


class Growing:
    """The last block shown, into which more text can be put where it ends, without reading it all again."""

    def __init__(self, tail: str, block: str, *, in_code: bool) -> None:
        self._in_code = in_code
        self._end = len(block) - len(_CODE_END) if in_code else _end_of_text(block)
        self._block = block
        visible = self._end > 0 and block[self._end - 1] == tail[-1:]
        self._open = visible and (block.endswith(_CODE_END) if in_code else _goes_on(tail))

    def with_more(self, delta: str) -> str | None:
        """The block with the text added, or None if only the parser can tell what that makes.

        Nothing but letters, digits and a few harmless characters is added, and in code escaped text.
        """
        if not self._open or not (self._in_code or _PLAIN.fullmatch(delta)):
            return None
        end, block = self._end, self._block
        added = escape(delta, quote=False) if self._in_code else delta
        self._block = f"{block[:end]}{added}{block[end:]}"
        self._end += len(added)
        return self._block


def _end_of_text(block: str) -> int:
    """Where the text of a block ends before its closing tags, 0 if those aren't a running text's."""
    end = len(block)
    while end and block[end - 1] == ">":
        start = block.rfind("</", 0, end)
        if start < 0 or block[start + 2 : end - 1] not in _CLOSERS:
            return 0
        end = start
    return end


def _goes_on(tail: str) -> bool:
    """Whether letters after the tail are just more of its last line's text."""
    return bool(_PLAIN.fullmatch(tail[-1:]) and _LETTER.search(tail, tail.rfind("\n") + 1))
