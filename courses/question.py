"""What is searched for: the words of a question with their weights, and of what it leans on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from courses import analysis, fulltext, vocabulary
from courses.languages import stop_words
from courses.shelf import Shelf

CONTEXT_WEIGHT = 0.4
CONTEXT_TERMS = 12
FEW_TERMS = 2
LECTURE = re.compile(
    r"\b(?:lecture|week|unit|session|chapter|vorlesung|cours|clase|lezione|aula)s?\s*(?:no\.?|number|#)?\s*(\d{1,3})\b",
    re.IGNORECASE,
)
LEANS_BACK = re.compile(
    r"^\s*(?:and|but|so|then|or|why\s*\?|how\s+so|what\s+about|how\s+about|und|et|y|e)\b"
    r"|\b(?:it|its|this|that|these|those|they|them|their|he|she|one|ones|same|such|former|latter|above|again|instead|else)\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Question:
    """What is searched for: words with their weights, those of the question first; `text` is what they were said in."""

    text: str
    weights: dict[str, float]
    counts: dict[str, int]
    lecture_numbers: frozenset[int]

    @classmethod
    def of(cls, query: str, context: Sequence[str], shelf: Shelf) -> "Question":
        stops = frozenset().union(*(stop_words(language) for language in shelf.languages))
        lectures = frozenset(int(number) for number in LECTURE.findall(query))
        asked = analysis.terms(LECTURE.sub(" ", query), stops) or analysis.terms(query, frozenset())
        before: dict[str, float] = {}
        meant_whole = query
        if context and (len(asked) <= FEW_TERMS or LEANS_BACK.search(query)):
            meant_whole = f"{context[-1]}\n{query}"
            before = _said_before(context, stops, asked)
        counts = fulltext.rarity(shelf.scope, [*asked, *before])
        meant = vocabulary.nearest(shelf.course_id, [term for term in asked if not counts.get(term)])
        corrected = [word for term in asked for word in meant.get(term, [term])]
        counts |= fulltext.rarity(shelf.scope, [word for word in corrected if word not in counts])
        weights = {
            term: fulltext.weight(shelf.passage_count, counts[term]) * before.get(term, 1.0)
            for term in dict.fromkeys([*corrected, *before])
            if counts.get(term)
        }
        return cls(meant_whole, weights, counts, lectures)


def _said_before(context: Sequence[str], stops: frozenset[str], asked: Sequence[str]) -> dict[str, float]:
    """What words of the last question count for one that leans on it, and, half as much, those of the one before."""
    weights: dict[str, float] = {}
    for text, weight in zip(reversed(context[-2:]), (CONTEXT_WEIGHT, CONTEXT_WEIGHT / 2), strict=False):
        for term in analysis.terms(text, stops):
            if term not in asked and len(weights) < CONTEXT_TERMS:
                weights.setdefault(term, weight)
    return weights
