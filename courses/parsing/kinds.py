"""What kind of file it is: by what is in it first, by its name where the content doesn't tell."""

import zipfile
from pathlib import PurePath
from typing import BinaryIO

from courses.parsing.blocks import ParseError

CODE_SUFFIXES = (
    ".py .r .jl .m .c .h .cc .cpp .hpp .cs .java .kt .scala .js .mjs .ts .tsx .jsx .go .rs .rb .php .swift .sql .sh"
    " .bash .lua .pl .hs .ml .f90 .css .yaml .yml .toml .ini .json .xml .tex .bib .asm .v .vhd .pas .lisp .scm .clj .ex"
    " .erl"
)
TEXT_KINDS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
    ".csv": "text",
    ".tsv": "text",
    ".log": "text",
    ".vtt": "transcript",
    ".srt": "transcript",
    ".ipynb": "notebook",
    **dict.fromkeys(CODE_SUFFIXES.split(), "code"),
}
READABLE = (
    "PDF, PPTX, DOCX, Markdown, HTML, plain text, WebVTT or SRT, Jupyter notebooks, source code, or a ZIP of these"
)
CONTENT_TYPES = {
    "pdf": "application/pdf",
    "slides": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "word": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "archive": "application/zip",
    "notebook": "application/x-ipynb+json",
}
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
HEAD = 4096


def kind_of(file: BinaryIO, name: str) -> str:
    """The kind of `file`, which was uploaded as `name`: pdf, slides, word, archive, markdown, html, text, transcript,
    notebook or code. Leaves the file at its start. Raises ParseError if it is none of these.
    """
    file.seek(0)
    head = file.read(HEAD)
    kind = _by_content(head, file, PurePath(name).suffix.lower()) or _by_name(head, PurePath(name).suffix.lower())
    file.seek(0)
    return kind


def _by_content(head: bytes, file: BinaryIO, suffix: str) -> str | None:
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped_kind(file)
    if head.startswith(OLD_OFFICE):
        raise ParseError("This is a protected file or an old Office format. Save it as PPTX, DOCX or PDF.")
    if head.lstrip(b"\xef\xbb\xbf").startswith(b"WEBVTT"):
        return "transcript"
    if suffix == ".pdf":
        raise ParseError("This is not a PDF, whatever its name says, or its beginning is damaged.")
    if suffix in (".pptx", ".docx", ".zip"):
        raise ParseError(f"This is not a {suffix[1:].upper()} file, whatever its name says, or it is damaged.")
    return None


def _zipped_kind(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise ParseError("The file is damaged: its contents can't be listed.") from None
    if "ppt/presentation.xml" in names:
        return "slides"
    if "word/document.xml" in names:
        return "word"
    return "archive"


def _by_name(head: bytes, suffix: str) -> str:
    if suffix in TEXT_KINDS:
        return TEXT_KINDS[suffix]
    if looks_like_text(head):
        return "html" if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")) else "text"
    raise ParseError(f"Files of this kind can't be read. Upload {READABLE}.")


def looks_like_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not any(byte < 9 or 13 < byte < 27 for byte in head)
