"""Reading a document: claimed by one worker, parsed in a child process, its passages made searchable all at once."""

import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from django.db import transaction
from django.db.models import F

from core.text import storable
from courses import archives, passage_vectors, sandbox, vocabulary
from courses.claims import Claim, ClaimLost
from courses.languages import language_of
from courses.models import Document, Passage, PassageVector
from courses.parsing.blocks import ParseError
from courses.passages import Draft, cut

log = structlog.get_logger(__name__)

MOST_PASSAGES = 60_000
BATCH = 500


def ingest(document_id: uuid.UUID, *, above: Claim | None = None) -> None:
    """Read the document if nobody else does. How it went is in the row: `state`, and `error` for the uploader.

    `above` is the claim on the archive that it is part of.
    """
    claim = Claim.take(document_id)
    if claim is None:
        return
    claim.above = above
    try:
        if claim.document.kind == "archive":
            with local_path(claim.document) as path:
                archives.unpack(claim, path, ingest)
        else:
            read(claim)
    except ParseError as error:
        claim.fail(str(error))
    except ClaimLost:
        log.info("document taken over or removed", document_id=str(document_id))
    except Exception:
        claim.fail("Something went wrong on the site while reading this file. Try to have it read again.")
        raise


def read(claim: Claim) -> None:
    """Parse the claimed document and store its passages. Raises ParseError, ClaimLost."""
    document = claim.document
    with local_path(document) as path:
        parsed = sandbox.parse_file(path, document.kind, document.file_name, claim.progress)
    drafts = cut(parsed.blocks)
    if not drafts:
        raise ParseError("There is no text in this file.")
    if len(drafts) > MOST_PASSAGES:
        raise ParseError("The file has more text than can be searched. Split it into smaller files.")
    language = language_of(" ".join(draft.text for draft in drafts[:20])) or document.course.language
    with transaction.atomic():
        # First of all the row is locked as mine: two workers can't both write passages.
        claim.finish(
            state=Document.State.READY,
            error=" ".join(parsed.notes),
            language=language,
            page_count=parsed.page_count,
            page_sizes=parsed.page_sizes,
            pages_done=parsed.page_count or 0,
            passage_count=len(drafts),
            embedded_with="",
            embedding_note="",
        )
        store(document, drafts)
        if language != document.language:
            # The database indexes again what it is given again.
            document.passages.update(search_text=F("search_text"))


def store(document: Document, drafts: Sequence[Draft]) -> None:
    """Make the passages of `document` those of `drafts`. What was there before unchanged keeps its id."""
    known: defaultdict[str, list[Passage]] = defaultdict(list)
    for passage in document.passages.only("pk", "position", "text_hash", "document_id").order_by("-position"):
        known[passage.text_hash].append(passage)
    kept: list[Passage] = []
    new: list[Passage] = []
    for position, draft in enumerate(drafts):
        same = known[draft.text_hash]
        if same:
            passage = same.pop()
            if passage.position != position:
                passage.position = position
                kept.append(passage)
        else:
            new.append(_passage(document, position, draft))
    gone = [passage.pk for passages in known.values() for passage in passages]
    vectors: dict[str, PassageVector] = {}
    for begin in range(0, len(gone), BATCH):
        vectors |= passage_vectors.kept_from(gone[begin : begin + BATCH])
        Passage.objects.filter(pk__in=gone[begin : begin + BATCH]).delete()
    _move(kept)
    Passage.objects.bulk_create(new, batch_size=BATCH)
    passage_vectors.hand_on(vectors, new)
    vocabulary.learn(document, (passage.search_text for passage in new))


def _move(kept: Sequence[Passage]) -> None:
    """Give kept passages their new positions, by way of free ones: two may have changed places."""
    positions = {passage.pk: passage.position for passage in kept}
    for number, passage in enumerate(kept):
        passage.position = 1_000_000_000 + number
    Passage.objects.bulk_update(kept, ["position"], batch_size=BATCH)
    for passage in kept:
        passage.position = positions[passage.pk]
    Passage.objects.bulk_update(kept, ["position"], batch_size=BATCH)


def _passage(document: Document, position: int, draft: Draft) -> Passage:
    return Passage(
        document=document,
        position=position,
        text=storable(draft.text),
        heading=storable(draft.heading),
        page=draft.page,
        slide=draft.slide,
        start_seconds=draft.start_seconds,
        marks=draft.marks,
        text_hash=draft.text_hash,
    )


@contextmanager
def local_path(document: Document) -> Iterator[Path]:
    """The document's file on this machine's disk, wherever the storage keeps it. Raises ParseError if it is gone."""
    try:
        try:
            path = Path(document.file.path)
        except NotImplementedError:
            path = None
        if path is not None:
            if not path.is_file():
                raise FileNotFoundError(path)
            yield path
            return
        with document.file.open("rb") as stored, tempfile.NamedTemporaryFile(prefix="document-") as copy:
            for chunk in stored.chunks():
                copy.write(chunk)
            copy.flush()
            yield Path(copy.name)
    except FileNotFoundError:
        raise ParseError("The file is no longer in the site's storage. Upload it again.") from None
