"""The demo course: formulas convert, code prints what is shown, questions have their places."""

import contextlib
import io
import itertools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import webvtt
from latex2mathml.converter import convert
from pptx import Presentation

from courses.demo import build_materials

ROOT = Path(__file__).parents[2]
COURSE = ROOT / "courses" / "demo" / "introduction-to-machine-learning"
NOTES = sorted(COURSE.glob("*.md"))
QUESTIONS = json.loads((ROOT / "benchmarks" / "data" / "retrieval_questions.json").read_text(encoding="utf-8"))
KINDS = {"direct", "paraphrase", "colloquial", "keyword", "formula", "code", "misspelt", "spelling"}
FENCED = re.compile(r"^```.*?^```$", flags=re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n+(?:^```text\n(.*?)^```$)?", flags=re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    return FENCED.sub("", path.read_text(encoding="utf-8"))


def formulas(path: Path) -> list[str]:
    text = prose(path)
    inline = re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL)
    return re.findall(r"\$\$(.+?)\$\$", text, flags=re.DOTALL) + re.findall(r"\$([^$\n]+)\$", inline)


def heading_paths(path: Path) -> list[str]:
    paths = []
    stack: list[str] = []
    for marks, text in re.findall(r"^(#+) (.+)$", prose(path), flags=re.MULTILINE):
        assert len(marks) <= len(stack) + 1, f"{path.name}: {text!r} skips a level"
        stack = [*stack[: len(marks) - 1], text]
        paths.append(" › ".join(stack))
    return paths


def cues() -> list[tuple[float, float]]:
    def seconds(time: str) -> float:
        hours, minutes, rest = time.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(rest)

    captions = webvtt.read(COURSE / "06-neural-networks.vtt")
    return [(seconds(caption.start), seconds(caption.end)) for caption in captions]


def slide_texts(path: Path) -> list[list[str]]:
    texts = []
    for slide in Presentation(str(path)).slides:
        shown = [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
        for shape in slide.shapes:
            if shape.has_table:
                shown += [cell.text for row in shape.table.rows for cell in row.cells]
        texts.append([*shown, slide.notes_slide.notes_text_frame.text if slide.has_notes_slide else ""])
    return texts


def page_texts(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        return [page.get_textpage().get_text_range() for page in document]


def test_course_file_lists_every_document_once_and_nothing_else() -> None:
    course = tomllib.loads((COURSE / "course.toml").read_text(encoding="utf-8"))
    lectures = course["lectures"]
    listed = [document["file"] for lecture in lectures for document in lecture["documents"]]

    assert course["code"] == "ML101"
    assert course["instructions"].strip()
    assert [lecture["number"] for lecture in lectures] == list(range(1, len(lectures) + 1))
    assert all(earlier["held_on"] < later["held_on"] for earlier, later in itertools.pairwise(lectures))
    assert sorted(listed) == sorted(path.name for path in COURSE.iterdir() if path.name != "course.toml")
    assert all((COURSE / name).stat().st_size < 300_000 for name in listed)


def test_there_are_five_lecture_notes() -> None:
    assert len(NOTES) == 5


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
def test_note_is_long_enough_to_learn_from(path: Path) -> None:
    assert len(prose(path).split()) >= 2000


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
def test_headings_of_a_note_are_different_places(path: Path) -> None:
    paths = heading_paths(path)
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
def test_every_formula_converts_to_mathml(path: Path) -> None:
    found = formulas(path)
    assert len(found) >= 25
    # A command that the converter doesn't know comes out with its backslash.
    assert [formula for formula in found if "\\" in convert(formula)] == []


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
def test_code_runs_and_prints_what_is_shown(path: Path) -> None:
    examples = EXAMPLE.findall(path.read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    assert len(examples) >= 3
    for code, shown in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, path.name, "exec"), names)
        assert printed.getvalue() == shown


def test_transcript_is_a_lecture_with_several_voices() -> None:
    captions = list(webvtt.read(COURSE / "06-neural-networks.vtt"))
    times = cues()

    assert times[-1][1] > 25 * 60
    assert all(start < end for start, end in times)
    assert all(one[1] <= next_one[0] for one, next_one in itertools.pairwise(times))
    assert sum(len(caption.text.split()) for caption in captions) >= 2500
    assert {caption.voice for caption in captions} == {"Dr Okafor", "Jonas", "Priya", "Student"}


def test_transcript_slides_and_handout_are_what_their_sources_say(tmp_path: Path) -> None:
    transcript, slides, handout = (
        tmp_path / name for name in ("06-neural-networks.vtt", "07-trees-and-ensembles.pptx", "08-revision-handout.pdf")
    )
    build_materials.write_transcript(build_materials.SOURCES / "06-neural-networks.txt", transcript)
    build_materials.write_slides(build_materials.SOURCES / "07-trees-and-ensembles.toml", slides)
    build_materials.write_handout(build_materials.SOURCES / "08-revision-handout.md", handout)

    assert transcript.read_text(encoding="utf-8") == (COURSE / transcript.name).read_text(encoding="utf-8")
    assert slide_texts(slides) == slide_texts(COURSE / slides.name)
    assert page_texts(handout) == page_texts(COURSE / handout.name)


def test_handout_has_a_running_head_page_numbers_and_broken_words() -> None:
    pages = page_texts(COURSE / "08-revision-handout.pdf")

    assert len(pages) >= 4
    for number, text in enumerate(pages, start=1):
        assert text.startswith("ML101 Introduction to Machine Learning")
        assert f"Page {number} of {len(pages)}" in text
    assert any("\ufffe" in text for text in pages)  # how PDFium marks a hyphen at the end of a line


def test_there_are_enough_questions_of_every_kind() -> None:
    assert len(QUESTIONS) >= 130
    assert len({entry["question"] for entry in QUESTIONS}) == len(QUESTIONS)
    assert {entry["kind"] for entry in QUESTIONS} == KINDS
    assert all(entry["answers"] for entry in QUESTIONS)


def test_every_answer_is_a_place_in_the_material() -> None:
    headings = {path.name: set(heading_paths(path)) for path in NOTES}
    slides = len(slide_texts(COURSE / "07-trees-and-ensembles.pptx"))
    pages = len(page_texts(COURSE / "08-revision-handout.pdf"))
    times = cues()

    def exists(file: str, locator: dict[str, Any]) -> bool:
        match file, locator:
            case "06-neural-networks.vtt", {"start_seconds": [start, end]}:
                # To the tenth of a second: from the beginning of one cue to the end of one.
                return (
                    start < end
                    and any(round(cue[0], 1) == start for cue in times)
                    and any(round(cue[1], 1) == end for cue in times)
                )
            case "07-trees-and-ensembles.pptx", {"slide": number}:
                return 1 <= number <= slides
            case "08-revision-handout.pdf", {"page": number}:
                return 1 <= number <= pages
            case name, {"heading": heading}:
                return heading in headings.get(name, ())
        return False

    answers = [(answer["file"], answer["locator"]) for entry in QUESTIONS for answer in entry["answers"]]
    assert [answer for answer in answers if not exists(*answer)] == []
    assert {file for file, _ in answers} == {path.name for path in COURSE.iterdir()} - {"course.toml"}
