"""Write the demo course's transcript, slides and handout from the texts in `sources/`.

Run by hand after a change of the sources (it needs the development requirements). What it writes is
committed, so that a site without these packages has the whole course:

    python courses/demo/build_materials.py
"""

import datetime as dt
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fpdf import FPDF, FontFace
from fpdf.enums import XPos, YPos
from pptx import Presentation
from pptx.util import Inches, Pt

HERE = Path(__file__).parent
SOURCES = HERE / "sources"
COURSE = HERE / "introduction-to-machine-learning"

WORDS_PER_MINUTE = 138
WORDS_PER_CUE = 24
# Fixed, so that writing the same text again doesn't look like a change.
MADE_ON = dt.datetime(2025, 11, 17, 9, 0, tzinfo=dt.UTC)
# Soft hyphens go where these words may be broken at the end of a line.
SYLLABLES = (SOURCES / "syllables.txt").read_text(encoding="utf-8").split()


# The transcript


def seconds_as_time(seconds: float) -> str:
    """Return `seconds` as WebVTT writes them, `hh:mm:ss.mmm`."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"


def cue_texts(speech: str) -> Iterator[str]:
    """Yield `speech` in pieces of at most `WORDS_PER_CUE` words, cut at sentences and else at commas."""
    held: list[str] = []
    for piece in re.split(r"(?<=[.?!:,]) ", speech):
        words = piece.split()
        ends_sentence = bool(held) and held[-1][-1] in ".?!:"
        if held and (len(held) + len(words) > WORDS_PER_CUE or (ends_sentence and len(held) > WORDS_PER_CUE // 2)):
            yield " ".join(held)
            held = []
        held += words
    if held:
        yield " ".join(held)


def write_transcript(source: Path, target: Path) -> None:
    """Write a WebVTT file in which everything takes as long as it takes to say."""
    now = 2.0
    blocks = ["WEBVTT - Lecture 6: Neural networks and backpropagation"]
    for line in source.read_text(encoding="utf-8").splitlines():
        if line.startswith("NOTE"):
            blocks.append(line)
        if not line or line.startswith(("NOTE", "#")):
            continue
        speaker, _, speech = line.partition(": ")
        for part in re.split(r"(\[pause \d+\])", speech):
            if pause := re.fullmatch(r"\[pause (\d+)\]", part):
                now += int(pause[1])
                continue
            for text in cue_texts(part.strip()):
                ends = now + len(text.split()) * 60 / WORDS_PER_MINUTE
                shown = textwrap.fill(f"<v {speaker}>{text}", width=72)
                blocks.append(f"{seconds_as_time(now)} --> {seconds_as_time(ends)}\n{shown}")
                now = ends + 0.2
    target.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


# The slides


def add_slide(deck: Any, content: dict[str, Any]) -> None:
    """Append one slide with its title, bullets, table, code and notes, whichever `content` has."""
    slide = deck.slides.add_slide(deck.slide_layouts[1 if content.get("bullets") else 5])
    slide.shapes.title.text = content["title"]
    bullets = content.get("bullets", [])
    top = Inches(1.7)
    if bullets:
        body = slide.placeholders[1]
        body.text_frame.text = "\n".join(bullets)
        for paragraph in body.text_frame.paragraphs:
            paragraph.font.size = Pt(24)
        if "table" in content or "code" in content:
            body.left, body.top, body.width, body.height = Inches(0.6), Inches(5.0), Inches(12), Inches(1.6)
    if table := content.get("table"):
        frame = slide.shapes.add_table(len(table), len(table[0]), Inches(0.6), top, Inches(12), Inches(3))
        for row, cells in enumerate(table):
            for column, text in enumerate(cells):
                frame.table.cell(row, column).text = text
    if code := content.get("code"):
        box = slide.shapes.add_textbox(Inches(0.6), top, Inches(12), Inches(3.2))
        box.text_frame.text = code.strip("\n")
        for paragraph in box.text_frame.paragraphs:
            paragraph.font.name, paragraph.font.size = "Consolas", Pt(18)
    if notes := content.get("notes"):
        slide.notes_slide.notes_text_frame.text = notes.strip()


def write_slides(source: Path, target: Path) -> None:
    """Write the deck that `source` describes: a title slide and one slide per `[[slides]]`."""
    content = tomllib.loads(source.read_text(encoding="utf-8"))
    deck: Any = Presentation()
    deck.slide_width, deck.slide_height = Inches(13.333), Inches(7.5)
    for layout in (deck.slide_layouts[0], deck.slide_layouts[1], deck.slide_layouts[5]):
        for shape in layout.placeholders:  # the default template is made for 4:3
            shape.left, shape.width = Inches(0.6), Inches(12)
    first = deck.slides.add_slide(deck.slide_layouts[0])
    first.shapes.title.text = content["title"]
    first.placeholders[1].text = content["subtitle"]
    first.notes_slide.notes_text_frame.text = content["notes"].strip()
    for slide in content["slides"]:
        add_slide(deck, slide)
    properties = deck.core_properties
    properties.title, properties.author = content["title"], "StudyBuddy"
    properties.created = properties.modified = MADE_ON.replace(tzinfo=None)
    deck.save(str(target))


# The handout


class Handout(FPDF):
    """A4 pages with a running head and a page number, as a word processor would set them."""

    def header(self) -> None:
        self.set_font("Helvetica", size=8)
        self.cell(0, 5, "ML101 Introduction to Machine Learning")
        self.cell(0, 5, "Revision handout", align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(5)

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font("Helvetica", size=8)
        self.cell(0, 5, f"Page {self.page_no()} of {{nb}}", align="C")

    def heading(self, line: str) -> None:
        marks, _, text = line.partition(" ")
        if len(marks) == 1:
            self.add_page()
        self.ln(2)
        self.set_font("Helvetica", style="B", size=16 if len(marks) == 1 else 11)
        self.multi_cell(0, 7, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def paragraph(self, text: str) -> None:
        self.set_font("Times", size=12)
        self.multi_cell(0, 5.6, with_soft_hyphens(text), align="J", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1.5)

    def rows(self, lines: list[str]) -> None:
        self.set_font("Times", size=10.5)
        cells = [[cell.strip() for cell in line[2:-2].split(" | ")] for line in lines]
        share = (1, 2) if len(cells[0]) == 2 else (4, 3, 4)
        head = FontFace(emphasis="BOLD")
        with self.table(col_widths=share, line_height=5.2, text_align="LEFT", headings_style=head) as table:
            for row in cells:
                table.row(row)
        self.ln(2)


def with_soft_hyphens(text: str) -> str:
    """Return `text` with a soft hyphen at the places where `SYLLABLES` allows a break."""
    for word in SYLLABLES:
        text = text.replace(word.replace("-", ""), word.replace("-", "\N{SOFT HYPHEN}"))
    return text


def write_handout(source: Path, target: Path) -> None:
    """Set the simple Markdown of `source` (headings, paragraphs, lists, tables) as a PDF, a page per `#`."""
    pdf = Handout()
    pdf.set_title("Revision handout")
    pdf.set_author("StudyBuddy")
    pdf.set_creation_date(MADE_ON)
    pdf.set_margins(22, 14)
    pdf.set_auto_page_break(auto=True, margin=18)
    for block in source.read_text(encoding="utf-8").strip().split("\n\n"):
        lines = block.splitlines()
        if block.startswith("#"):
            pdf.heading(block)
        elif block.startswith("| "):
            pdf.rows(lines)
        elif re.match(r"\d+\. ", block):
            for line in lines:
                pdf.paragraph(line)
        else:
            pdf.paragraph(" ".join(lines))
    pdf.output(str(target))


def main() -> None:
    """Write the three files and say how large each is."""
    write_transcript(SOURCES / "06-neural-networks.txt", COURSE / "06-neural-networks.vtt")
    write_slides(SOURCES / "07-trees-and-ensembles.toml", COURSE / "07-trees-and-ensembles.pptx")
    write_handout(SOURCES / "08-revision-handout.md", COURSE / "08-revision-handout.pdf")
    for target in sorted(COURSE.glob("0[678]-*")):
        sys.stdout.write(f"{target.name}: {target.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
