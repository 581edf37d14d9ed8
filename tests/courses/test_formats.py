"""Every format that can be uploaded, as real programs write it: the text with its place."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from courses.models import Course, Document
from courses.retrieval import search
from tests.courses import files
from tests.courses.material import HANDOUT, upload, work

pytestmark = pytest.mark.django_db(transaction=True)

FIXTURES = Path(__file__).parent / "fixtures"
HTML = """<!doctype html><title>t</title><nav>Home</nav><script>alert("no")</script><h1>Tides</h1><h2>Moon</h2>
<p>The dugong tide is high twice a day.</p>
<table><tr><th>day</th><th>m</th></tr><tr><td>Monday</td><td>4.2</td></tr></table>
<ul><li>spring</li><li>neap</li></ul>"""
SRT = """1
00:00:01,000 --> 00:00:04,000
Welcome to the lecture.

2
00:01:05,500 --> 00:01:09,000
The narwhal sorts in linear time.
"""
VTT = "WEBVTT\n\n00:02.000 --> 00:05.000\n<v Ada>The axolotl regrows its limbs.</v>\n"
CODE = "import math\n\n\ndef okapi_distance(a, b):\n    return math.dist(a, b)\n"
ARCHIVE = {"week 1/intro/basics.md": "# Basics\n\nThe quokka smiles.", "week 1/plain.txt": "A tapir is not a pig."}

# The file's name, what is in it, a question, the title found, its locator, and what of the text keeps its shape.
FORMATS: list[tuple[str, Any, str, str, dict[str, Any], list[str]]] = [
    ("heat.docx", files.word(), "marmalade law", "heat", {"heading": "Thermodynamics › Entropy"},
     ["- first item\n- second item", "| state | S |\n| --- | --- |\n| ice | 41 |"]),
    ("queues.pptx", files.slides(), "pelican slide 2", "queues", {"slide": 2, "heading": "Queues"},
     ["Point number 2", "| arrivals |", "Notes: Say that the pelican comes on slide 2."]),
    ("walrus.ipynb", files.notebook(), "walrus_total", "walrus", {"heading": "Walruses › cell 1"},
     ["```python\nwalrus_total = sum(range(7))\nprint(walrus_total)\n```", "21"]),
    ("tides.html", HTML, "dugong tide", "tides", {"heading": "Tides › Moon"},
     ["| day | m |\n| --- | --- |\n| Monday | 4.2 |", "- spring\n- neap"]),
    ("talk.srt", SRT, "narwhal", "talk", {"start_seconds": 1.0}, ["sorts in linear time"]),
    ("talk.vtt", VTT, "axolotl", "talk", {"start_seconds": 2.0}, ["Ada: The axolotl"]),
    ("okapi.py", CODE, "okapi_distance", "okapi", {"heading": "lines 1–6"}, ["def okapi_distance(a, b):\n    return"]),
    ("notes.md", "# Birds\n\n## Owls\n\nThe kakapo climbs trees.", "kakapo", "notes", {"heading": "Birds › Owls"}, []),
    ("latin.txt", "Die Möwe fängt zwölf größere Fische für Zoë.".encode("cp1252"), "zwolf Fische", "latin", {},
     ["Die Möwe fängt zwölf größere Fische für Zoë."]),
    ("wide.txt", "The wombat digs at night.".encode("utf-16"), "wombat", "wide", {}, ["The wombat digs at night."]),
    ("ocelot.pdf", files.pdf(), "ocelot", "ocelot", {"page": 1}, ["Page 1 tells of the ocelot."]),
    ("all.zip", files.zipped(dict(ARCHIVE)), "quokka", "week 1 / intro / basics", {"heading": "Basics"}, []),
    ("all.zip", None, "tapir", "week 1 / plain", {}, []),
]  # fmt: skip


def test_each_format_keeps_its_text_its_shape_and_its_places(instructor: User, student: User, course: Course) -> None:
    for name, content, *_ in FORMATS:
        if content is not None:
            upload(instructor, course, content, name)
    work()
    assert {document.file_name: document.error for document in Document.objects.exclude(state="ready")} == {}
    for name, _, question, title, locator, shapes in FORMATS:
        found = [hit for hit in search(user=student, course=course, query=question) if hit.title == title]
        assert [hit.locator for hit in found] == [locator], name
        [hit] = found
        for shape in shapes:
            assert shape in hit.text, (name, hit.text)
        assert "alert" not in hit.text


def test_files_of_an_office_suite_are_read(instructor: User, student: User, course: Course) -> None:
    documents = [upload(instructor, course, path.read_bytes(), path.name) for path in sorted(FIXTURES.iterdir())]
    assert len(documents) >= 3
    work()
    assert {document.file_name: document.error for document in Document.objects.exclude(state="ready")} == {}
    for document in documents:
        [hit] = search(user=student, course=course, query="capybara", document=document)
        assert "A capybara swims well." in hit.text
        assert "| river | depth |" in hit.text or document.file_name.endswith(".pdf")


def test_a_scan_without_text_says_that_it_needs_ocr(instructor: User, course: Course) -> None:
    document = upload(instructor, course, files.pdf_that_declares(1), "scan.pdf")
    work()
    document.refresh_from_db()
    assert (document.state, document.passage_count) == ("failed", 0)
    assert document.error.startswith("no text: needs OCR")


def test_the_demo_handout_is_read_without_running_heads_and_broken_words(instructor: User, course: Course) -> None:
    document = upload(instructor, course, HANDOUT.read_bytes(), "handout.pdf")
    work()
    document.refresh_from_db()
    assert document.state == "ready"
    assert not document.passages.filter(text__contains="\u00ad").exists()
    assert not document.passages.filter(text__regex=r"\n\d+$").exists()
