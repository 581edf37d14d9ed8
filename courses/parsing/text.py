"""Plain text and source code, in whatever encoding."""

import re
from pathlib import Path

from courses.parsing.blocks import Block, Parsed, ParseError, Progress
from courses.parsing.limits import MAX_CHARACTERS

BLANK_LINES = re.compile(r"\n[ \t]*\n+")
LIST_ITEM = re.compile(r"[ \t]*([-*+•]|\d{1,3}[.)])\s")
CODE_LINES = 60  # of one block at most, cut at a blank line where there is one
TOP_LEVEL = re.compile(r"^[^\s#/*}\])]", re.MULTILINE)
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def read_text(path: Path) -> str:
    """The file as text: by its byte order mark, else UTF-8, else UTF-16 if every second byte is zero, else Latin-1."""
    return decode(path.read_bytes())


def decode(data: bytes) -> str:
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_CHARACTERS:
        raise ParseError(f"The file has more than {MAX_CHARACTERS:,} characters of text. Split it into smaller files.")
    return CONTROL.sub(" ", text)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return data.decode("utf-32", errors="replace")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    sample = data[:4000]
    for encoding, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[0::2])):
        if zeros.count(0) > len(zeros) * 0.4:
            return data.decode(encoding, errors="replace")
    return data.decode("cp1252", errors="replace")


def parse_text(path: Path, _name: str, _progress: Progress) -> Parsed:
    return Parsed(blocks=paragraphs(read_text(path)))


def paragraphs(text: str) -> list[Block]:
    """Blocks of `text` between blank lines; lists keep their lines, in paragraphs broken lines are joined."""
    blocks = []
    for piece in BLANK_LINES.split(text):
        lines = [line.rstrip() for line in piece.strip("\n").split("\n")]
        if not any(lines):
            continue
        if sum(bool(LIST_ITEM.match(line)) for line in lines) * 2 >= len(lines):
            blocks.append(Block("list", "\n".join(lines)))
        elif any("  " in line.strip() or "\t" in line.strip() for line in lines) and len(lines) > 1:
            blocks.append(Block("table", "\n".join(lines)))  # columns made by spaces
        else:
            blocks.append(Block("paragraph", " ".join(line.strip() for line in lines)))
    return blocks


def parse_code(path: Path, _name: str, _progress: Progress) -> Parsed:
    return Parsed(blocks=code_blocks(read_text(path)))


def code_blocks(source: str) -> list[Block]:
    """The file cut before top-level definitions, each block with the lines that it stands on."""
    lines = source.split("\n")
    blocks, begin = [], 0
    for end in [*_cuts(lines), len(lines)]:
        text = "\n".join(lines[begin:end]).strip("\n")
        if text.strip():
            blocks.append(Block("code", text, place=f"lines {begin + 1}–{end}"))
        begin = end
    return blocks


def _cuts(lines: list[str]) -> list[int]:
    """Where to cut: before a top-level line that follows a blank one, once there are a few lines; else at the limit."""
    cuts, begin = [], 0
    for number, line in enumerate(lines):
        length = number - begin
        starts_anew = number > 0 and not lines[number - 1].strip() and TOP_LEVEL.match(line) is not None
        if (starts_anew and length >= CODE_LINES // 3) or length >= CODE_LINES:
            cuts.append(number)
            begin = number
    return cuts
