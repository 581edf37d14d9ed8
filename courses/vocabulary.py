"""The words of a course's material, to find out what a misspelt word of a question meant."""

import uuid
from collections.abc import Iterable, Sequence

from courses.models import Document, Word
from courses.ranking import stem

SHORTEST, LONGEST = 4, 30
LONG_WORD = 6  # from here on two slips are forgiven
NEAREST = 2
LOOKED_AT = 5_000
BATCH = 500


def learn(document: Document, texts: Iterable[str]) -> None:
    """Remember the words of a document's indexed texts."""
    found = {word for text in texts for word in text.split() if SHORTEST <= len(word) <= LONGEST and word.isalpha()}
    rows = [Word(course_id=document.course_id, word=word, shape=_shape(word)) for word in sorted(found)]
    Word.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)


def nearest(course_id: uuid.UUID, unknown: Sequence[str]) -> dict[str, list[str]]:
    """For each word that no passage has, the one or two words of the course that it is most like, if any. One query."""
    doubtful = [word for word in unknown if SHORTEST <= len(word) <= LONGEST and word.isalpha()]
    if not doubtful:
        return {}
    shapes = {f"{word[0]}{len(word) + more}" for word in doubtful for more in range(-4, 3)}
    rows = Word.objects.filter(course_id=course_id, shape__in=shapes).values_list("word", flat=True)
    known = list(rows[:LOOKED_AT])
    return {word: meant for word in doubtful if (meant := _most_alike(word, known))}


def _shape(word: str) -> str:
    """What a misspelt word most often has right: its first letter, and about how long it is."""
    return f"{word[0]}{len(word)}"


def _most_alike(word: str, known: Iterable[str]) -> list[str]:
    most = 2 if len(word) >= LONG_WORD else 1
    near = [(_apart(word, other, most), other) for other in known if other[0] == word[0]]
    near = sorted(pair for pair in near if pair[0] <= most)
    return [other for distance, other in near if distance == near[0][0]][:NEAREST]


def _apart(word: str, other: str, most: int) -> int:
    """By how many slips the words differ, or, if that is less, what is left of them without their endings."""
    return min(slips(word, other, most), slips(stem(word), stem(other), most))


def slips(a: str, b: str, most: int) -> int:
    """How many letters were left out, put in, replaced or swapped between `a` and `b`, counted up to `most` + 1."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before, row = list[int](), list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        two_before, before, row = before, row, [i]
        for j, other in enumerate(b, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, two_before[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]
