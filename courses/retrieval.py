"""Finding the passages of a course that answer a question: by its words, and by what it means where the site has an
embedding model.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db.models import QuerySet

from core.database import release_connections
from core.statements import Prepared
from courses import analysis, fulltext
from courses.models import Course, Document, Lecture, Passage
from courses.querysets import Person
from courses.question import Question
from courses.ranking import Scorer
from courses.shelf import Shelf

CANDIDATES = 60
FUSED_FROM = 60  # reciprocal-rank fusion's constant, the usual one: how little the first ranks count above the next
MOST_BY_MEANING = 50_000  # passages; their exact scan takes some ten milliseconds
ONE_DOCUMENT_SHARE = 0.6  # of the list at most, while other documents have something
NAMED_LECTURE_BONUS = 0.6
TITLE_BONUS = 0.15
NEIGHBOUR_SHARE = 0.15  # of the better neighbour's score: what surrounds an answer is about it too
NEAR_DUPLICATE = 0.8
MERGED_WORDS = 500


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. `text` may go on into the passages after it, whose ids are in `passage_ids` too.

    `score` compares hits of one search only; more is better.
    """

    passage_id: uuid.UUID
    document_id: uuid.UUID
    title: str
    text: str
    score: float
    heading: str = ""
    page: int | None = None
    slide: int | None = None
    start_seconds: float | None = None
    lecture_number: int | None = None
    passage_ids: tuple[uuid.UUID, ...] = ()

    @property
    def locator(self) -> dict[str, Any]:
        """Where in the document it stands: whichever of page, slide, start_seconds and heading are known."""
        return locator(self)


def locator(place: Any) -> dict[str, Any]:
    """The known ones of `page`, `slide`, `start_seconds` and `heading` of a passage, hit or citation."""
    found = {name: getattr(place, name) for name in ("page", "slide", "start_seconds", "heading")}
    return {name: value for name, value in found.items() if value not in (None, "")}


def search(
    *,
    user: Person,
    course: Course | uuid.UUID,
    query: str,
    document: Document | uuid.UUID | None = None,
    lecture: Lecture | uuid.UUID | None = None,
    limit: int = 8,
    context: Sequence[str] = (),
) -> list[Hit]:
    """The passages of `course` (of one document or lecture, if given) that best answer `query`, best first.

    Only what `user` may see, and only documents that are ready, is found. `context` holds what was said before, oldest
    first: a question that leans on it ("and why does it diverge?") is searched with its words as well. A constant
    number of queries; none of them raises for any text.
    """
    if limit < 1:
        return []
    shelf = Shelf.of(user, course, document, lecture)
    if not shelf.documents:
        return []
    question = Question.of(query, context, shelf)
    alike = _alike(question, shelf)
    passages = _load(user, question, shelf, alike)
    scores = _scores(passages, question, shelf)
    if alike:
        scores = _fused(passages, scores, alike)
    ranked = sorted((passage for passage in passages if scores[passage.pk] > 0), key=lambda found: -scores[found.pk])
    chosen = _chosen(ranked, limit, spread=len(shelf.documents) > 1)
    return _hits(chosen, scores, shelf)[:limit]


def _alike(question: Question, shelf: Shelf) -> dict[uuid.UUID, float]:
    """The passages that mean what is asked, with how much, best first; none where meaning can't be searched now."""
    embedded = shelf.embedded
    if not embedded or not question.text.strip() or shelf.passage_count > MOST_BY_MEANING:
        return {}
    from courses import embeddings, meaning

    release_connections()  # none is kept from others while the model thinks
    vector = embeddings.of_question(question.text)
    return {} if vector is None else dict(meaning.nearest(embedded, vector, CANDIDATES))


class Found(NamedTuple):
    """What is needed of a passage to put it in order and to show it."""

    pk: uuid.UUID
    document_id: uuid.UUID
    position: int
    text: str
    heading: str
    page: int | None
    slide: int | None
    start_seconds: float | None
    search_heading: str
    search_text: str


def _load(user: Person, question: Question, shelf: Shelf, alike: Iterable[uuid.UUID]) -> list[Found]:
    """The candidates, as far as `user` may see them, in the order that the database found them."""
    counts = {term: question.counts[term] for term in question.weights}
    found = list(dict.fromkeys([*fulltext.candidates(shelf.scope, counts, CANDIDATES), *alike]))
    by_id = {row[0]: Found(*row) for row in READY.rows(user.pk, shelf.course_id, fulltext.id_list(found))}
    return [by_id[passage_id] for passage_id in found if passage_id in by_id]


def _ready_passages(user_id: int, course_id: uuid.UUID, ids: str) -> "QuerySet[Passage, tuple[Any, ...]]":
    passages = Passage.objects.for_user(User(pk=user_id)).filter(document__state=Document.State.READY)
    listed = passages.filter(document__course_id=course_id, pk__in=fulltext.listed(ids))
    return listed.order_by().values_list(*Found._fields)


READY = Prepared(_ready_passages, int, uuid.UUID, str)


def _scores(passages: Sequence[Found], question: Question, shelf: Shelf) -> dict[uuid.UUID, float]:
    """By words; more for a lecture that the question names, and for documents whose title has its words."""
    scorer = Scorer(question.weights)
    favours = {}
    for document_id in {passage.document_id for passage in passages}:
        row = shelf.documents[document_id]
        named = row["lecture__number"] in question.lecture_numbers
        favours[document_id] = 1 + TITLE_BONUS * scorer.share(row["title"]) + (NAMED_LECTURE_BONUS if named else 0.0)
    own = {passage.pk: scorer.score(passage.search_heading, passage.search_text) for passage in passages}
    beside = {(passage.document_id, passage.position): own[passage.pk] for passage in passages}
    return {
        passage.pk: favours[passage.document_id]
        * (
            own[passage.pk]
            + NEIGHBOUR_SHARE * max(beside.get((passage.document_id, passage.position + step), 0.0) for step in (-1, 1))
        )
        for passage in passages
    }


def _fused(
    passages: Iterable[Found], scores: Mapping[uuid.UUID, float], alike: Mapping[uuid.UUID, float]
) -> dict[uuid.UUID, float]:
    """Scores by the passage's ranks in both searches: their own scores can't be compared."""
    known = [passage.pk for passage in passages]
    by_words = sorted((pk for pk in known if scores[pk] > 0), key=lambda pk: -scores[pk])
    by_meaning = [pk for pk in alike if pk in scores]
    fused = dict.fromkeys(known, 0.0)
    for ranked in (by_words, by_meaning):
        for rank, pk in enumerate(ranked, start=1):
            fused[pk] += 1 / (FUSED_FROM + rank)
    return fused


def _chosen(ranked: Iterable[Found], limit: int, *, spread: bool) -> list[Found]:
    """The best `limit`, without those that say nearly the same as a better one (a handout that repeats the slides).

    With `spread`, one document has only its share of them while others have something to say.
    """
    most = max(2, round(limit * ONE_DOCUMENT_SHARE)) if spread else limit
    chosen: list[Found] = []
    passed_over: list[Found] = []
    taken: Counter[uuid.UUID] = Counter()
    said: list[frozenset[tuple[str, ...]]] = []
    for passage in ranked:
        if len(chosen) == limit:
            break
        if taken[passage.document_id] == most:
            passed_over.append(passage)
            continue
        runs = analysis.runs(passage.text)
        if all(analysis.overlap(runs, other) < NEAR_DUPLICATE for other in said):
            taken[passage.document_id] += 1
            said.append(runs)
            chosen.append(passage)
    return [*chosen, *passed_over][:limit]


def _hits(chosen: Sequence[Found], scores: Mapping[uuid.UUID, float], shelf: Shelf) -> list[Hit]:
    """The passages as hits; those that follow each other in a document become one, at the place of the better."""
    groups: list[list[Found]] = []
    for passage in chosen:
        group = next((group for group in groups if _continues(group, passage)), None)
        if group is None:
            groups.append([passage])
        else:
            group.append(passage)
            group.sort(key=lambda part: part.position)
    return [_hit(group, scores, shelf) for group in groups]


def _continues(group: Sequence[Found], passage: Found) -> bool:
    if group[0].document_id != passage.document_id:
        return False
    words = sum(len(part.text.split()) for part in [*group, passage])
    return words <= MERGED_WORDS and passage.position in (group[0].position - 1, group[-1].position + 1)


def _hit(group: Sequence[Found], scores: Mapping[uuid.UUID, float], shelf: Shelf) -> Hit:
    first = max(group, key=lambda passage: scores[passage.pk])
    row = shelf.documents[first.document_id]
    return Hit(
        passage_id=first.pk,
        document_id=first.document_id,
        title=row["title"],
        text="\n\n".join(part.text for part in group),
        score=round(scores[first.pk], 6),
        heading=first.heading,
        page=first.page,
        slide=first.slide,
        start_seconds=first.start_seconds,
        lecture_number=row["lecture__number"],
        passage_ids=tuple(part.pk for part in group),
    )
