"""How long a big PDF takes to read, and in how much memory: `python -m benchmarks.ingestion [--pages N]`.

The PDF (made here, some 400 words a page) is uploaded, and read by a real `manage.py db_worker` on a new SQLite
database. Memory is what the worker and its parsing child have resident together, the highest of samples 20 ms apart.
Results as a table and in `results/ingestion.json`.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT, save, table

SECONDS, MEGABYTES = 60, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="studybuddy-bench-") as scratch:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="studybuddy.settings",
            ENV_FILE=os.devnull,
            DEBUG="true",
            LOG_LEVEL="ERROR",
            DATABASE_URL=f"sqlite:///{scratch}/bench.sqlite3",
            MEDIA_ROOT=f"{scratch}/media",
        )
        row = measure(options.pages)
    columns = {"pages": "pages", "passages": "passages", "seconds": "s", "megabytes": "MB"}
    print(table(f"A PDF (aim for 500 pages: under {SECONDS} s and {MEGABYTES} MB)", columns, [row]))
    save("ingestion", {"pdf": row})


def measure(pages: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.files.base import ContentFile
    from django.core.management import call_command

    from courses.models import Course, Document
    from courses.services import documents

    call_command("migrate", verbosity=0)
    course = Course.objects.create(code="BENCH", title="A long book")
    documents.add(user=None, course=course, file=ContentFile(book(pages), "book.pdf"))
    begin = time.perf_counter()
    most = watched([sys.executable, "manage.py", "db_worker", "--batch", "--no-startup-delay", "--interval", "0"])
    seconds = time.perf_counter() - begin
    document = Document.objects.get()
    if document.state != Document.State.READY:
        sys.exit(f"The PDF ended as {document.state}: {document.error}")
    return {
        "pages": document.page_count,
        "passages": document.passage_count,
        "seconds": round(seconds, 1),
        "megabytes": round(most / 1e6),
    }


def book(pages: int) -> bytes:
    from fpdf import FPDF

    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnoprstuvw", k=chance.randint(2, 10))) for _ in range(5_000)]
    made = FPDF()
    made.set_font("Helvetica", size=11)
    for number in range(1, pages + 1):
        made.add_page()
        made.multi_cell(0, 6, f"Chapter {number}", new_x="LMARGIN", new_y="NEXT")
        for _ in range(4):
            sentences = (" ".join(chance.choices(words, k=20)).capitalize() for _ in range(5))
            made.multi_cell(0, 5, ". ".join(sentences) + ".", new_x="LMARGIN", new_y="NEXT")
            made.ln(3)
    return bytes(made.output())


def watched(command: list[str]) -> int:
    """Run the command and return the most bytes that it and its children had resident at once."""
    most = 0
    with subprocess.Popen(command, cwd=ROOT) as process:
        while process.poll() is None:
            most = max(most, sum(resident(pid) for pid in family(process.pid)))
            time.sleep(0.02)
    return most


def family(pid: int) -> list[int]:
    found = [pid]
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                found += family(int(child))
    return found


def resident(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


if __name__ == "__main__":
    main()
