"""The few sentences of a passage that bear most on a question, with formulas, code and tables left whole."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_FENCE = re.compile(r"\s*(```+|~~~+)")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
# A sentence ends at its mark, not at a dot within a formula, an abbreviation or a number.
_SENTENCE_END = re.compile(
    r"(?<=[.!?…])(?<!\b[A-Za-z]\.)(?<!e\.g\.)(?<!i\.e\.)(?<!cf\.)(?<!Fig\.)\s+(?=[\"'“„(\[*_`$]*[^\W\d_a-z])"
)
_INLINE_FORMULA = re.compile(r"\$[^$\n]+\$|`[^`\n]+`")
_CODE_OR_FORMULA = re.compile(r"((?:```.*?```|~~~.*?~~~|\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`))", re.DOTALL)
_MANY_WORDS = 70
_LONGEST_BLOCK_LINES = 40

_COMMON: Final = frozenset(
    _WORD.findall(
        "a about all also an and any are as at be because been before between both but by can could course "
        "describe did difference do does each explain explained false for from get give given had has have he her "
        "him his how i if in into is it its just know lecture like make many me mean means more most much must my "
        "need no not of on once one only or other our out over page please said same say says section see she should "
        "show slide so some such tell than that the their them then there these they this those to too true two "
        "under up us use used using very was we were what when where which while who why will with would you your "
        "aber als auch auf aus bei das dem den der des die ein eine einem einen einer es fur hat ich im ist mit nicht "
        "oder sich sie sind und uns von was wann warum wenn wer wie wird wir zu zum zur "
        "au aux avec ce ces comment dans de du elle en est et il la le les mais ne ou par pas pour pourquoi que quel "
        "quelle qui se son sont sur un une como con cual del el las los para por porque "
        "che come di gli lo ma non per perche sono"
    )
)
_ENDINGS = (
    "ations", "ation", "izing", "ising", "ized", "ised", "ings", "ing", "ies", "ied", "ally",
    "ers", "ed", "er", "es", "ly", "s", "e", "y",
)  # fmt: skip


def stems(text: str) -> list[str]:
    """Return the content words of `text` in order, folded, without common words and endings."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    folded = "".join(character for character in folded if not unicodedata.combining(character))
    words = (re.split("['’]", word)[0] for word in _WORD.findall(folded) if not word.endswith(("n't", "n’t")))
    return [_stem(word) for word in words if word not in _COMMON and not (len(word) == 1 and word.isdecimal())]


def shared_words(question: str, text: str) -> set[str]:
    """Return the stems of content words that both have."""
    return set(stems(question)) & set(stems(text))


@dataclass(frozen=True, slots=True)
class Unit:
    """What is quoted whole or not at all: a sentence, a list item, or a block of code, formula or table."""

    text: str
    kind: str  # "sentence", "item", "heading" or "block"
    paragraph: int

    @property
    def goes_on(self) -> bool:
        """Whether it leads into what follows, as a line before a formula does."""
        return self.kind in {"sentence", "item"} and not self.text.rstrip("*_`\"'”)").endswith((".", "!", "?", "…"))


def outside_code(change: Callable[[str], str], text: str) -> str:
    """Return `text` with `change` applied to what is neither code nor formula."""
    parts = _CODE_OR_FORMULA.split(text)
    return "".join(part if index % 2 else change(part) for index, part in enumerate(parts))


def units(passage: str) -> list[Unit]:
    """Return the passage's units in order; joined by white space they are the passage."""
    found: list[Unit] = []
    for number, (kind, lines) in enumerate(_blocks(passage.splitlines())):
        text = "\n".join(lines)
        if kind == "paragraph":
            found.extend(Unit(sentence, "sentence", number) for sentence in _sentences(" ".join(text.split())))
        else:
            found.append(Unit(text, kind, number))
    return found


def best_quote(question: str, passage: str, *, context: str = "") -> str:
    """Return the part of `passage` that bears most on `question`, as Markdown; its beginning when nothing does.

    `context` is the passage's title and place: its words matter less in the sentences. Left-out parts show as "…".
    """
    parts = units(passage)
    readable = [index for index, unit in enumerate(parts) if unit.kind != "heading"]
    if not readable:
        return passage.strip()
    scores = _scores(question, parts, context)
    chosen: set[int] = set()
    words = 0
    for index in sorted(readable, key=lambda index: (-scores[index], index)):
        if chosen and (words >= _MANY_WORDS or scores[index] <= 0.35 * max(scores)):
            break
        if chosen and parts[index].text.count("\n") > _LONGEST_BLOCK_LINES:
            continue
        for near in _with_its_neighbours(index, parts) - chosen:
            chosen.add(near)
            words += len(parts[near].text.split())
    return _joined(parts, sorted(chosen))


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] + "s" if word.endswith("iz") else word  # regularize, regularise


def _scores(question: str, parts: Sequence[Unit], context: str) -> list[float]:
    """How much each unit says of the question's words; rare words say more."""
    asked = set(stems(question))
    in_context = set(stems(context))
    contents = [Counter(stems(unit.text)) for unit in parts]
    spread = Counter(stem for content in contents for stem in content)
    weight = {
        stem: math.log(1 + len(parts) / (1 + spread[stem])) * (0.6 if stem in in_context else 1.0) for stem in asked
    }
    scores: list[float] = []
    heading_share = 0.0
    for unit, content in zip(parts, contents, strict=True):
        hits = sum(weight[stem] * min(2.0, 1 + 0.25 * (content[stem] - 1)) for stem in asked if content[stem])
        share = hits / (1 + 0.02 * sum(content.values()))
        if unit.kind == "heading":
            heading_share = share
        # What stands under a heading that names the question's words speaks of them, its beginning most.
        scores.append(share + heading_share * (0.5 if share else 0.1))
        if unit.kind != "heading":
            heading_share *= 0.7
    return scores


def _with_its_neighbours(index: int, parts: Sequence[Unit]) -> set[int]:
    """The unit, with what it leads into and what it goes on from."""
    taken = {index}
    first = last = index
    while last + 1 < len(parts) and parts[last].goes_on and parts[last + 1].kind != "heading":
        last += 1
        taken.add(last)
    while (
        first
        and parts[first - 1].kind != "heading"
        and (parts[first].kind == "block" or parts[first].text[:1].islower())
    ):
        first -= 1
        taken.add(first)
        if parts[first].kind != "block":
            break
    return taken


def _joined(parts: Sequence[Unit], chosen: Iterable[int]) -> str:
    text, before = "", -1
    for index in chosen:
        unit = parts[index]
        same_paragraph = before >= 0 and unit.kind == "sentence" and parts[before].paragraph == unit.paragraph
        skipped = any(parts[at].kind != "heading" for at in range(before + 1, index)) and before >= 0
        if not text:
            text = unit.text
        elif same_paragraph:
            text += (" … " if skipped else " ") + unit.text
        elif unit.kind == "item" and parts[before].kind == "item" and not skipped:
            text += "\n" + unit.text
        else:
            text += ("\n\n…\n\n" if skipped else "\n\n") + unit.text
        before = index
    return text


def _sentences(paragraph: str) -> list[str]:
    """Split into sentences, never within a formula or inline code."""
    kept: list[str] = []

    def hide(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"${len(kept) - 1}\0"

    hidden = _INLINE_FORMULA.sub(hide, paragraph)
    shown = (re.sub(r"\$(\d+)\0", lambda found: kept[int(found[1])], part) for part in _SENTENCE_END.split(hidden))
    return [sentence.strip() for sentence in shown if sentence.strip()]


def _blocks(lines: Sequence[str]) -> Iterable[tuple[str, list[str]]]:
    """The passage's blocks: "paragraph", "item", "heading", or "block" for code, formulas and tables."""
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        kind, end = _block_at(lines, at)
        block = list(lines[at:end])
        opened = _FENCE.match(line)
        if opened and (len(block) == 1 or not block[-1].strip().startswith(opened[1])):
            block.append(opened[1])
        yield kind, block
        at = end


def _block_at(lines: Sequence[str], at: int) -> tuple[str, int]:
    """The kind of the block that begins at a line, and the line after its end."""
    line = lines[at]
    if opened := _FENCE.match(line):
        return "block", _after(lines, at, lambda other: other.strip().startswith(opened[1]))
    if line.strip().startswith("$$"):
        closed = line.strip().endswith("$$") and len(line.strip()) > 3
        return "block", at + 1 if closed else _after(lines, at, lambda other: other.rstrip().endswith("$$"))
    if _HEADING.match(line):
        return "heading", at + 1
    if _is_table_row(line):
        return "block", _while(lines, at, _is_table_row)
    if _LIST_ITEM.match(line):
        return "item", _while(lines, at, _goes_on_plainly)
    return "paragraph", _while(lines, at, _goes_on_plainly)


def _after(lines: Sequence[str], at: int, closes: Callable[[str], bool]) -> int:
    return next((end + 1 for end in range(at + 1, len(lines)) if closes(lines[end])), len(lines))


def _while(lines: Sequence[str], at: int, belongs: Callable[[str], bool]) -> int:
    return next((end for end in range(at + 1, len(lines)) if not belongs(lines[end])), len(lines))


def _is_table_row(line: str) -> bool:
    return line.strip().startswith("|")


def _goes_on_plainly(line: str) -> bool:
    begins_another = _FENCE.match(line) or _HEADING.match(line) or _LIST_ITEM.match(line) or _is_table_row(line)
    return bool(line.strip()) and not begins_another and not line.strip().startswith("$$")
