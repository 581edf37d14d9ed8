"""Markdown as its author wrote it: blocks keep their source, so that formulas and code stay exact."""

import re
from collections.abc import Iterator
from pathlib import Path

from courses.parsing.blocks import Block, BlockKind, Parsed, Progress
from courses.parsing.text import read_text

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
HEADING = re.compile(r"^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
UNDERLINE = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")
LIST_ITEM = re.compile(r"^\s*([-*+]|\d{1,9}[.)])\s+\S")
TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
FRONT_MATTER = re.compile(r"\A---\n.*?\n(---|\.\.\.)\n", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
PLAIN_HEADING = re.compile(r"\[([^\]]*)\]\([^)]*\)|[*_`]{1,3}(?=\S)(.*?)(?<=\S)[*_`]{1,3}")


def parse_markdown(path: Path, _name: str, _progress: Progress) -> Parsed:
    return Parsed(blocks=list(markdown_blocks(read_text(path))))


def markdown_blocks(source: str) -> Iterator[Block]:
    """The blocks of a Markdown text in order."""
    source = FRONT_MATTER.sub("", source)
    lines = source.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif fence := FENCE.match(line):
            end = _fence_end(lines, at, fence[1])
            yield Block("code", "\n".join(lines[at:end]))
            at = end
        elif line.lstrip().startswith("$$"):
            end = _formula_end(lines, at)
            yield Block("formula", "\n".join(lines[at:end]))
            at = end
        elif heading := HEADING.match(line):
            if heading[2]:
                yield Block("heading", plain_heading(heading[2]), level=len(heading[1]))
            at += 1
        else:
            end = _paragraph_end(lines, at)
            yield from _paragraph(lines[at:end])
            at = end


def plain_heading(text: str) -> str:
    """A heading without emphasis and links, as it reads."""
    return PLAIN_HEADING.sub(lambda match: match[1] or match[2] or "", text).strip()


def _fence_end(lines: list[str], at: int, fence: str) -> int:
    closing = re.compile(rf"^ {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
    for number in range(at + 1, len(lines)):
        if closing.match(lines[number]):
            return number + 1
    return len(lines)


def _formula_end(lines: list[str], at: int) -> int:
    if lines[at].count("$$") >= 2:
        return at + 1
    for number in range(at + 1, len(lines)):
        if "$$" in lines[number]:
            return number + 1
        if not lines[number].strip():
            return number
    return len(lines)


def _paragraph_end(lines: list[str], at: int) -> int:
    """Where the paragraph, list or table that begins at `at` ends. A list goes on over blank lines while indented."""
    in_list = LIST_ITEM.match(lines[at]) is not None
    end = at + 1
    while end < len(lines):
        line = lines[end]
        if not line.strip():
            following = lines[end + 1] if end + 1 < len(lines) else ""
            if not (in_list and (following.startswith(("  ", "\t")) or LIST_ITEM.match(following))):
                break
        elif HEADING.match(line) or (not in_list and (FENCE.match(line) or line.lstrip().startswith("$$"))):
            break
        end += 1
    return end


def _paragraph(lines: list[str]) -> Iterator[Block]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    last = lines[-1]
    if len(lines) > 1 and (rule := UNDERLINE.match(last)) and not LIST_ITEM.match(lines[0]) and "|" not in lines[0]:
        yield Block("heading", plain_heading(" ".join(lines[:-1])), level=1 if rule[1][0] == "=" else 2)
        return
    text = COMMENT.sub("", "\n".join(lines)).strip("\n")
    if text.strip() and not (len(lines) == 1 and re.fullmatch(r"\s*([-*_]\s*){3,}", lines[0])):
        yield Block(_kind(lines), text)


def _kind(lines: list[str]) -> BlockKind:
    if len(lines) > 1 and "|" in lines[0] and TABLE_RULE.match(lines[1]):
        return "table"
    return "list" if LIST_ITEM.match(lines[0]) else "paragraph"
