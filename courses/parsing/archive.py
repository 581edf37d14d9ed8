"""ZIP: refused if it would unpack to more than anyone could have meant."""

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from courses.parsing.blocks import ParseError
from courses.parsing.limits import MAX_ARCHIVE_BYTES, MAX_ARCHIVE_DEPTH, MAX_ARCHIVE_FILES, MAX_ARCHIVE_RATIO

SMALL = 10_000_000  # a small archive of blank pages may well have a wild ratio
NOISE = ("__MACOSX/", ".git/", ".ipynb_checkpoints/", "__pycache__/", "node_modules/")


def check_archive(path: Path) -> None:
    """Raise ParseError for an archive that is damaged, encrypted, or grows too much when it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise ParseError("The file is damaged: its contents can't be listed.") from None
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_ARCHIVE_BYTES or (
        unpacked > SMALL and unpacked > MAX_ARCHIVE_RATIO * max(path.stat().st_size, 1)
    ):
        raise ParseError("The file would unpack to far more than it should, so it was not opened.")
    if any(entry.flag_bits & 1 for entry in entries):
        raise ParseError("The archive is protected by a password. Upload it without one.")


def entries_of(path: Path) -> list[zipfile.ZipInfo]:
    """The files in an archive that may be material, in the order of their names. Raises ParseError."""
    check_archive(path)
    with zipfile.ZipFile(path) as archive:
        found = sorted(_material(archive.infolist()), key=lambda entry: entry.filename)
    if len(found) > MAX_ARCHIVE_FILES:
        raise ParseError(f"The archive has more than {MAX_ARCHIVE_FILES} files.")
    if any(entry.filename.count("/") > MAX_ARCHIVE_DEPTH for entry in found):
        raise ParseError(f"The archive has folders more than {MAX_ARCHIVE_DEPTH} deep.")
    return found


def _material(entries: list[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    for entry in entries:
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        hidden = any(part.startswith(".") and part != ".." for part in name.parts)
        if not entry.is_dir() and not hidden and not any(noise in f"/{entry.filename}" for noise in NOISE):
            yield entry


def title_of(entry_name: str) -> str:
    """What a file in an archive is called: its folders and its own name, without anything that leads elsewhere."""
    parts = [part.strip() for part in entry_name.replace("\\", "/").split("/")]
    parts = [part for part in parts if part not in ("", ".", "..")]
    if parts:
        parts[-1] = PurePosixPath(parts[-1]).stem or parts[-1]
    return " / ".join(parts)
