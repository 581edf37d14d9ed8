"""Markdown with formulas, code and citations to safe HTML: one renderer for history, live replies and the admin.

`render` for a whole text, `StreamRenderer` for one that is being written, `plain_text` where no HTML belongs.
"""

from chats.markup.citations import SourceLink
from chats.markup.document import render
from chats.markup.plain import plain_text
from chats.markup.recent import render_ended
from chats.markup.stream import Change, StreamRenderer

__all__ = ["Change", "SourceLink", "StreamRenderer", "plain_text", "render", "render_ended"]
