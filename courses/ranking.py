"""How well a passage answers, from its words alone: BM25 with headings, words that stand together, and coverage.

The database picks candidates quickly and each engine in its own way; this puts them in order, the same on both.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from courses.analysis import words

HEADING_WEIGHT = 2.0
SATURATION = 1.2
LENGTH_WEIGHT = 0.4
USUAL_LENGTH = 220  # words
TOGETHER = 0.6  # of a pair's weight, for having it side by side
COVERAGE = 0.3  # of the score depends on how much of the question is there at all
SUFFIX = re.compile(
    r"(?:izations?|izers?|iz(?:es?|ed|ing)|ations?|ators?|ities|ity|ences?|ances?|ments?|nesses|ness|ingly|ings?|edly"
    r"|ied|ies|ed|ely|ly|ers?|es|s|e|y)$"
)
SHORTEST_STEM = 3


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The word without its ending, roughly. Only ever compared with other stems."""
    if len(word) <= SHORTEST_STEM or not word.isalpha():
        return word
    ending = SUFFIX.search(word, SHORTEST_STEM)
    found = word[: ending.start()] if ending else word
    return found[:-1] if len(found) > SHORTEST_STEM and found[-1] == found[-2] else found


class Scorer:
    """Scores passages for one question. `weights` say what each of its words is worth, in the question's order."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.weights: dict[str, float] = {}
        for word, weight in weights.items():
            stemmed = stem(word)
            self.weights[stemmed] = max(weight, self.weights.get(stemmed, 0.0))
        order = list(self.weights)
        self.pairs = set(pairwise(order))
        self.whole = sum(self.weights.values())
        # Most words of a text don't even begin like one of the question's: those are never stemmed.
        self._alike = re.compile(rf"(?<!\S)(?:{'|'.join(map(re.escape, order))})\S*" if order else r"(?!)")

    def score(self, heading: str, body: str) -> float:
        """How well the passage with these indexed words does; 0 if it has none of the question's."""
        head, text = self._places(heading), self._places(body)
        in_head, in_text = Counter(word for word, _, _ in head), Counter(word for word, _, _ in text)
        length = 1 - LENGTH_WEIGHT + LENGTH_WEIGHT * (body.count(" ") + 1) / USUAL_LENGTH
        score = covered = 0.0
        for word, weight in self.weights.items():
            times = in_text[word] + HEADING_WEIGHT * min(in_head[word], 2)
            if times:
                score += weight * times * (SATURATION + 1) / (times + SATURATION * length)
                covered += weight
        score += TOGETHER * sum(self.weights[pair[0]] + self.weights[pair[1]] for pair in self._pairs(head, text))
        return score * (1 - COVERAGE + COVERAGE * covered / self.whole) if self.whole else 0.0

    def share(self, title: str) -> float:
        """How much of the question a title has, from 0 to 1."""
        stems = title_stems(title)
        return sum(weight for word, weight in self.weights.items() if word in stems) / self.whole if self.whole else 0.0

    def _places(self, text: str) -> list[tuple[str, int, int]]:
        """The question's words in an indexed text, as their stems, with where they begin and end."""
        found = ((stem(match[0]), match.start(), match.end()) for match in self._alike.finditer(text))
        return [place for place in found if place[0] in self.weights]

    def _pairs(self, *texts: Sequence[tuple[str, int, int]]) -> set[tuple[str, str]]:
        """The question's neighbours that stand side by side, one blank apart."""
        return {
            (word, after)
            for places in texts
            for (word, _, end), (after, begin, _) in pairwise(places)
            if begin == end + 1 and (word, after) in self.pairs
        }


@lru_cache(maxsize=5_000)
def title_stems(title: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words(title))
