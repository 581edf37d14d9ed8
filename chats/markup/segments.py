"""Cuts a growing text into segments that can be read as Markdown one by one.

A segment ends where the parser itself says that every block is closed: before a line that follows an empty
one, around a fenced code block. The cuts depend on nothing but the text before them and the first characters
of the next line, so a text that comes in pieces is cut like the whole one.
"""

import re

from chats.markup.parser import markdown

_FENCE = re.compile(r"(`{3,})[^`\n]*\n|(~{3,})[^\n]*\n")
_ITEM = re.compile(r" {0,3}(?:[-+*]|[0-9]{1,9}[.)])(?:[ \t\n]|\Z)")
_FENCE_BEGUN = re.compile(r"(?:`{1,2}|~{1,2}|`{3,}[^`\n]*|~{3,}[^\n]*)\Z")
_ITEM_BEGUN = re.compile(r"(?:[-+*]|[0-9]{1,9}[.)]?)\Z")
_FENCE_OPENED = re.compile(r"<pre><code(?: class=\"[^\"]*\")?>x</code></pre>\n\Z")
_PARAGRAPH_OPENED = "<p>x</p>\n"
# After a cut was refused the text must grow by a tenth before the parser is asked again: linear in all.
_PATIENCE = 1.1
_HELPING = 2_000


class Segmenter:
    """Holds the open end of a text."""

    def __init__(self) -> None:
        self.tail = ""
        self._at = 0
        self._blank_before = False
        self._has_item = False
        self._has_text = False
        self._closing_fence: re.Pattern[str] | None = None
        self._ask_from = 0.0

    @property
    def in_code(self) -> bool:
        """Whether the open end is one unfinished fenced code block."""
        return self._closing_fence is not None

    def feed(self, text: str) -> list[str]:
        """Adds text and returns the segments that it completed, in order."""
        finished: list[str] = []
        # In small helpings, so that a long text isn't copied once for each of its segments.
        for at in range(0, len(text), _HELPING):
            self.tail += text[at : at + _HELPING]
            while (end := self._next_cut()) is not None:
                finished.append(self.tail[:end])
                self.tail = self.tail[end:]
                self._at = 0
                self._blank_before = self._has_item = self._has_text = False
                self._ask_from = 0.0
        return finished

    def _next_cut(self) -> int | None:
        """Reads line by line on from where it stopped, until a cut or until the text is too short to say."""
        while self._at < len(self.tail):
            if self._closing_fence is not None:
                return self._end_of_fence()
            cuts = self._cuts()
            if cuts:
                return self._at
            line_end = self.tail.find("\n", self._at)
            if cuts is None or line_end < 0:
                return None
            self._pass_line(line_end + 1)
        return None

    def _end_of_fence(self) -> int | None:
        found = self._closing_fence.search(self.tail, self._at) if self._closing_fence else None
        if found is None:
            self._at = max(self.tail.rfind("\n") + 1, self._at)
            return None
        self._closing_fence = None
        return found.end()

    def _cuts(self) -> bool | None:
        """Whether a segment ends before this line; None if there is too little of the line to say so."""
        tail, start = self.tail, self._at
        if tail[start] in "`~":
            if _FENCE_BEGUN.match(tail, start):
                return None
            if fence := _FENCE.match(tail, start):
                return self._cuts_before_fence(fence)
        return self._cuts_before_text()

    def _cuts_before_text(self) -> bool | None:
        tail, start = self.tail, self._at
        if not (self._blank_before and self._has_text) or tail[start].isspace() or start < self._ask_from:
            return False
        if tail[start] in "-+*0123456789":
            if _ITEM_BEGUN.match(tail, start):
                return None
            # The next item of a list, perhaps; the parser would have to read both to know.
            if self._has_item and _ITEM.match(tail, start):
                return False
        return self._answer(markdown.html(tail[:start] + "x").endswith(_PARAGRAPH_OPENED))

    def _cuts_before_fence(self, fence: re.Match[str]) -> bool:
        if self._has_text:
            if self._at < self._ask_from:
                return False
            return self._answer(bool(_FENCE_OPENED.search(markdown.html(self.tail[: fence.end()] + "x"))))
        mark = fence[1] or fence[2]
        self._closing_fence = re.compile(rf"^ {{0,3}}{mark[0]}{{{len(mark)},}}[ \t]*\n", re.MULTILINE)
        return False

    def _answer(self, answer: bool) -> bool:
        if not answer:
            self._ask_from = self._at * _PATIENCE
        return answer

    def _pass_line(self, end: int) -> None:
        line = self.tail[self._at : end]
        blank = line.isspace()
        self._blank_before = blank
        self._has_text = self._has_text or not blank
        self._has_item = self._has_item or _ITEM.match(line) is not None
        self._at = end
