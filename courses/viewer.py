"""What the page that shows a document shows: its pages or sections, with the cited passage marked.

`view()` gives everything that the template needs, in a constant number of queries. By `View.layout`:

- "pages" (PDF): `pages`, each with `image_url` (lazily drawn, `width` and `height` give its shape), `highlights` (the
  cited passage's lines, in hundredths of the page: `left`, `top`, `width`, `height`, for an SVG over the image with
  `viewBox="0 0 100 100" preserveAspectRatio="none"`) and `passages` (its text for those who don't see images).
- "slides", "sections" (all else that has headings), "transcript": `sections`, each with a `heading` and `passages`. A
  passage has `text` (Markdown when `View.is_markdown`, to be rendered by the site's sanitiser; plain otherwise),
  `is_cited`, `place` ("slide 3", "12:40") and for transcripts `lines`: each with `seconds`, `clock` and `text`.
- "archive": `parts`, the documents that came in it.

The element of the cited passage, or of its page, should have the id `View.anchor` names, for `#…` and for scrolling.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.urls import reverse

from core.errors import NotFound
from core.ids import parse_uuid
from courses.models import Document, Passage
from courses.querysets import Person
from courses.services import documents

MARKDOWN_KINDS = ("markdown", "slides", "word", "html", "notebook")
A4 = (595.0, 842.0)
IMAGE_WIDTH = 1100


@dataclass(frozen=True, slots=True)
class Highlight:
    """A marked line, in hundredths of the page's width and height."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class SpokenLine:
    seconds: float
    clock: str
    text: str


@dataclass(frozen=True, slots=True)
class PassageView:
    id: uuid.UUID
    text: str
    place: str
    is_cited: bool
    lines: Sequence[SpokenLine] = ()


@dataclass(slots=True)
class Section:
    heading: str
    passages: list[PassageView] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    number: int
    image_url: str
    width: int
    height: int
    highlights: list[Highlight] = field(default_factory=list)
    passages: list[PassageView] = field(default_factory=list)

    @property
    def is_cited(self) -> bool:
        return bool(self.highlights) or any(passage.is_cited for passage in self.passages)


@dataclass(slots=True)
class View:
    document: Document
    layout: str
    is_markdown: bool
    file_url: str
    cited: Passage | None
    pages: list[Page] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    parts: list[Document] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """The id of the element to scroll to; empty if no passage is cited."""
        if self.cited is None:
            return ""
        return f"page-{self.cited.page}" if self.layout == "pages" else f"passage-{self.cited.pk}"


def view(*, user: Person, course_id: uuid.UUID | str, document_id: uuid.UUID | str, passage: str = "") -> View:
    """The document for showing, with the passage whose id is `passage` marked (an unknown one is left aside).

    Raises NotFound if it is not in this course, not ready, or not for `user` to see.
    """
    document = documents.find(user=user, document_id=document_id)
    if document.course_id != parse_uuid(course_id) or document.state != Document.State.READY:
        raise NotFound
    passages = list(document.passages.defer("search_text", "search_heading").order_by("position"))
    cited = next((found for found in passages if found.pk == parse_uuid(passage)), None)
    shown = View(
        document=document,
        layout=_layout(document),
        is_markdown=document.kind in MARKDOWN_KINDS,
        file_url=reverse("courses:file", args=[document.course_id, document.pk]),
        cited=cited,
    )
    if shown.layout == "pages":
        shown.pages = _pages(document, passages, cited)
    elif shown.layout == "archive":
        shown.parts = list(document.parts.order_by("title"))
    else:
        shown.sections = _sections(passages, cited)
    return shown


def _layout(document: Document) -> str:
    return {"pdf": "pages", "slides": "slides", "transcript": "transcript", "archive": "archive"}.get(
        document.kind, "sections"
    )


def _pages(document: Document, passages: Iterable[Passage], cited: Passage | None) -> list[Page]:
    sizes = document.page_sizes or [A4]
    pages = []
    for number in range(1, (document.page_count or 0) + 1):
        wide, high = sizes[number - 1] if len(sizes) >= number else sizes[0]
        url = reverse("courses:page-image", args=[document.course_id, document.pk, number])
        height = round(IMAGE_WIDTH * high / max(wide, 1))
        pages.append(Page(number, url, IMAGE_WIDTH, height))
    for passage in passages:
        if passage.page is not None and passage.page <= len(pages):
            pages[passage.page - 1].passages.append(_passage(passage, cited))
    for number, left, top, width, height in cited.marks if cited is not None else ():
        if number <= len(pages):
            pages[int(number) - 1].highlights.append(
                Highlight(*(round(part * 100, 2) for part in (left, top, width, height)))
            )
    return pages


def _sections(passages: Iterable[Passage], cited: Passage | None) -> list[Section]:
    """Passages that stand under the same heading together."""
    sections: list[Section] = []
    for passage in passages:
        if not sections or sections[-1].heading != passage.heading or passage.slide is not None:
            sections.append(Section(passage.heading))
        sections[-1].passages.append(_passage(passage, cited))
    return sections


def _passage(passage: Passage, cited: Passage | None) -> PassageView:
    lines = tuple(_lines(passage)) if passage.start_seconds is not None else ()
    is_cited = cited is not None and passage.pk == cited.pk
    return PassageView(passage.pk, passage.text, place(passage), is_cited, lines)


def _lines(passage: Passage) -> Iterable[SpokenLine]:
    ends = [int(mark[0]) for mark in passage.marks[1:]] + [len(passage.text)]
    for (begin, seconds), end in zip(passage.marks, ends, strict=True):
        yield SpokenLine(seconds, clock(seconds), passage.text[int(begin) : end].strip())


def place(passage: Passage) -> str:
    """Where a passage is, for people: "page 3", "slide 4", "12:40", or empty."""
    if passage.page is not None:
        return f"page {passage.page}"
    if passage.slide is not None:
        return f"slide {passage.slide}"
    return clock(passage.start_seconds) if passage.start_seconds is not None else ""


def clock(seconds: float) -> str:
    """The time as minutes and seconds, with hours if there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
