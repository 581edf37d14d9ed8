"""Files that would do harm: each ends soon, in words, and the next one is read."""

import os
import resource
import signal
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import User

from core.errors import Invalid
from courses.models import Course, Document, Passage
from courses.retrieval import search
from tests.courses import files
from tests.courses.material import HANDOUT, NOTES, upload, work
from tests.servers import ROOT, database_url, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once_with_postgres]

# A file's name, what is in it, and what its uploader is told; "" if it can be read all the same.
HOSTILE: list[tuple[str, bytes, str]] = [
    ("truncated.pdf", HANDOUT.read_bytes()[:9_000], "damaged"),
    ("locked.pdf", files.pdf(password="secret"), "password"),
    ("endless.pdf", files.pdf_that_declares(100_000), "100,000 pages"),
    ("rubbish.pdf", b"%PDF-1.7\n" + os.urandom(4000), "damaged"),
    ("bomb.zip", files.zipped({"zeros.txt": bytes(60_000_000)}), "unpack to far more"),
    ("disguised.zip", files.bomb_in_disguise(), "small"),
    ("matryoshka.zip", files.zipped({"inner.zip": files.zipped({"a.txt": "text"})}), "archive in an archive"),
    ("deep.zip", files.zipped({"a/" * 20 + "x.txt": "text"}), "deep"),
    ("laughs.docx", files.word_with_entities(), "damaged"),
    ("nested.html", b"<div>" * 200_000 + b"The bottom of the well." + b"</div>" * 200_000, ""),
    ("nested.ipynb", b"[" * 200_000, "not a Jupyter notebook"),
    ("renamed.docx", files.slides(), ""),
    ("renamed.md", files.pdf(), ""),
    ("line.txt", b"endless " * 6_200_000, "more than 10,000,000 characters"),
    ("unbroken.txt", b"x" * 3_000_000, ""),
    ("empty-inside.md", b" \n\n \n", "no text"),
]
REFUSED: list[tuple[str, bytes, str]] = [
    ("zero.pdf", b"", "empty"),
    ("picture.pdf", b"\x89PNG\r\n\x1a\n" + bytes(100), "not a PDF"),
    ("program.exe", b"MZ\x90\x00\x03" + bytes(100), "can't be read"),
    ("broken.zip", b"PK\x03\x04" + bytes(100), "damaged"),
]


def test_each_hostile_file_ends_in_words_and_the_next_is_read(instructor: User, student: User, course: Course) -> None:
    for name, content, problem in REFUSED:
        with pytest.raises(Invalid, match=problem):
            upload(instructor, course, content, name)
    told = {upload(instructor, course, content, name).pk: (name, problem) for name, content, problem in HOSTILE}
    good = upload(instructor, course, NOTES, "good.md")
    work()
    for document in Document.objects.filter(pk__in=told):
        name, problem = told[document.pk]
        assert problem in document.error, (name, document.state, document.error)
        assert document.state == ("failed" if problem else "ready"), (name, document.error)
        assert document.passages.exists() == (document.state == "ready"), name
    assert [hit.document_id for hit in search(user=student, course=course, query="zanzibar")] == [good.pk]


def test_names_in_an_archive_lead_nowhere(instructor: User, course: Course, settings: Any) -> None:
    names = ("../../outside.md", "/etc/absolute.md", "..\\..\\windows.md", "C:\\drive.md", "a/../b/./inside.md")
    entries: dict[str, bytes | str] = {name: f"# Text\n\nThis is {number}." for number, name in enumerate(names)}
    upload(instructor, course, files.zipped(entries), "../../up.zip")
    work()
    parts = Document.objects.exclude(archive=None)
    titles = {"outside", "etc / absolute", "windows", "C: / drive", "a / b / inside"}
    assert set(parts.values_list("title", flat=True)) == titles
    for document in Document.objects.all():
        assert os.path.realpath(document.file.path).startswith(os.path.realpath(settings.MEDIA_ROOT) + os.sep)
        assert "/" not in document.file_name


def test_a_document_whose_worker_was_killed_is_read_by_the_next(
    instructor: User, student: User, course: Course, settings: Any
) -> None:
    document = upload(instructor, course, files.pdf(200, words="Every word counts here. " * 60), "long.pdf")
    with subprocess.Popen(
        [sys.executable, "manage.py", "db_worker", "--batch", "--no-startup-delay", "--interval", "0"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url(), "MEDIA_ROOT": str(settings.MEDIA_ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as worker:
        begun = Document.objects.filter(pk=document.pk, state="processing", pages_done__gt=0)
        until(begun.exists, 60, what="the worker to be in mid-file")
        worker.send_signal(signal.SIGKILL)
    # Its claim is fresh: nobody takes the document yet, and nothing of it is found.
    work()
    document.refresh_from_db()
    assert document.state == "processing"
    assert not Passage.objects.exists()
    assert search(user=student, course=course, query="ocelot") == []
    settings.DOCUMENT_STALE_SECONDS = 0
    work()
    document.refresh_from_db()
    assert (document.state, document.page_count) == ("ready", 200)
    assert search(user=student, course=course, query="counts")


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("bytearray(600_000_000)", b"MemoryError"),
        ("[0 for _ in iter(int, 1)]", b""),
        ("import tempfile; tempfile.TemporaryFile(buffering=0).write(b'x')", b"No usable temporary directory"),
    ],
)
def test_a_parsing_child_is_bound(deed: str, said: bytes) -> None:
    code = f"from courses.parsing.__main__ import limit; limit(memory=500_000_000, cpu=1); {deed}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == (1 if said else -signal.SIGXCPU)
    assert said in done.stderr
    # The limits are the child's alone.
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
