"""Files as other programs write them, and as nobody should."""

import io
import json
import zipfile
import zlib
from typing import Any

import docx
import pptx
from fpdf import FPDF
from pptx.util import Inches


def zipped(entries: dict[str, bytes | str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return target.getvalue()


def word() -> bytes:
    document = docx.Document()
    document.add_heading("Thermodynamics", 1)
    document.add_heading("Entropy", 2)
    document.add_paragraph("The marmalade law says that entropy never falls in a closed system.")
    document.add_paragraph("first item", style="List Bullet")
    document.add_paragraph("second item", style="List Bullet")
    table = document.add_table(2, 2)
    for cell, text in zip((cell for row in table.rows for cell in row.cells), ("state", "S", "ice", "41"), strict=True):
        cell.text = text
    return saved(document)


def slides() -> bytes:
    presentation = pptx.Presentation()
    for number, title in enumerate(("Opening", "Queues"), start=1):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = f"Point number {number}"
        slide.notes_slide.notes_text_frame.text = f"Say that the pelican comes on slide {number}."
    table = slide.shapes.add_table(2, 2, Inches(1), Inches(3), Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(1, 1).text = "arrivals", "42"
    return saved(presentation)


def saved(document: Any) -> bytes:
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def notebook() -> bytes:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Walruses\n", "\n", "They are counted here.\n"]},
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": 1,
            "source": ["walrus_total = sum(range(7))\n", "print(walrus_total)"],
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["21\n"]}],
        },
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def pdf(pages: int = 1, *, password: str = "", words: str = "") -> bytes:
    made = FPDF()
    made.set_font("Helvetica", size=11)
    if password:
        made.set_encryption(owner_password=password, user_password=password)
    for number in range(1, pages + 1):
        made.add_page()
        made.multi_cell(0, 6, f"Page {number} tells of the ocelot. {words}")
    return bytes(made.output())


def pdf_that_declares(pages: int) -> bytes:
    """A PDF whose page tree says that it has so many pages, and has one."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count %d >>" % pages,
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 4\n0000000000 65535 f \n%strailer << /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        rows,
        len(out),
    )


def bomb_in_disguise() -> bytes:
    """A ZIP whose one file is said to be small and unpacks to a hundred times what may be uploaded."""
    honest = zipped({"small.txt": b""})
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
    name = b"small.txt"
    local = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0" + honest[14:18] + len(data).to_bytes(4, "little")
    local += (10).to_bytes(4, "little") + len(name).to_bytes(2, "little") + b"\0\0" + name
    central = b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0" + honest[14:18] + len(data).to_bytes(4, "little")
    central += (10).to_bytes(4, "little") + len(name).to_bytes(2, "little") + bytes(16) + name
    end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0" + len(central).to_bytes(4, "little")
    end += (len(local) + len(data)).to_bytes(4, "little") + b"\0\0"
    return local + data + central + end


def word_with_entities() -> bytes:
    """A DOCX whose text is ten entities of ten entities, nine times over."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    body = (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&l9;</w:t></w:r></w:p></w:body></w:document>"
    )
    with zipfile.ZipFile(io.BytesIO(word())) as source:
        entries: dict[str, bytes | str] = {name: source.read(name) for name in source.namelist()}
    return zipped({**entries, "word/document.xml": body})
