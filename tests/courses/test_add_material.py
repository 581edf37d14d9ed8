"""`manage.py add_material`: a folder into a course, one line a file."""

import io
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from courses.models import Course, Document
from courses.retrieval import search
from tests.courses import files

pytestmark = pytest.mark.django_db(transaction=True)


def add(course: str, *paths: Path, **options: int) -> tuple[list[str], str]:
    """What it prints, and what it ends with."""
    out = io.StringIO()
    try:
        call_command("add_material", course, *map(str, paths), stdout=out, **options)
    except CommandError as error:
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), ""


def test_a_folder_is_read_and_each_file_s_end_is_told(student: User, course: Course, tmp_path: Path) -> None:
    course.lectures.create(number=2, title="Animals")
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").write_text("not material")
    (tmp_path / "a.md").write_text("# Animals\n\nThe quagga is gone.")
    (tmp_path / "sub" / "b.docx").write_bytes(files.word())
    (tmp_path / "c.pdf").write_bytes(files.pdf(password="secret"))
    (tmp_path / "d.exe").write_bytes(b"MZ\x90\x00\x03")
    lines, end = add("ML101", tmp_path, lecture=2)
    assert end == "2 of 4 files could not be added."
    assert [line.split(":")[0] for line in lines] == [
        f"ok     {tmp_path}/a.md",
        f"FAILED {tmp_path}/c.pdf",
        f"FAILED {tmp_path}/d.exe",
        f"ok     {tmp_path}/sub/b.docx",
    ]
    assert lines[0].endswith("1 passage")
    assert "password" in lines[1]
    [hit] = search(user=student, course=course, query="quagga")
    assert hit.lecture_number == 2
    lines, end = add("ML101", tmp_path / "a.md")
    assert (lines[0].endswith("the course has it already"), end) == (True, "")
    assert Document.objects.count() == 3


def test_a_course_a_lecture_or_a_path_that_is_not_there_is_told(course: Course, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Text\n\nText.")
    assert add("NONE", tmp_path)[1] == "There is no course with the code 'NONE'."
    assert add("ML101", tmp_path, lecture=9)[1] == "The course has no lecture 9."
    assert "neither a file nor a folder" in add("ML101", tmp_path / "gone")[1]
