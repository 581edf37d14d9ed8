"""Words to search by: what a text is indexed as and what a question asks for, the same on every database.

Accents, case and British spelling are folded; identifiers are taken apart and kept whole ("learning_rate" is also
found as "learning rate" and as "learningrate"); `\\lambda` and λ are both "lambda"; scripts without spaces become
pairs of letters. Stemming is left to the database.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

TOKEN = re.compile(r"c\+\+|[cf]#|[^\W_]+(?:[-_][^\W_]+)*", re.IGNORECASE)
SPOKEN = {"c++": "cplusplus", "c#": "csharp", "f#": "fsharp"}
COMMAND = re.compile(
    r"\\(?:mathbb|mathcal|mathbf|mathrm|operatorname|boldsymbol|text|hat|bar|tilde|left|right|frac|begin|end)\b"
)
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
POWER = re.compile(r"\b([A-Za-z])\^\{?(\d)\b\}?")
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1780-\u17ff]+")
HEADING_LINE = re.compile(r"^#{2,6} (.+)$", re.MULTILINE)
LONGEST_WORD = 60
# British spellings on their way to American ones. What is only folded oddly ("comprize") is so on both sides.
SPELLINGS = [
    (re.compile(r"(?<=[a-z]{2}[^vcwoau])is(?=(?:e|ed|es|er|ers|ing|ation|ations|able)$)"), "iz"),
    (re.compile(r"(?<=al)ys(?=(?:e|ed|es|er|ers|ing)$)"), "yz"),
    (re.compile(r"(?<=[a-z]{3})our(?=(?:s|ed|ing|al|hood|hoods|able|ite|ites)?$)"), "or"),
    (re.compile(r"(?<=[a-z]{3}e)ll(?=(?:ed|ing|er|ers)$)"), "l"),
    (re.compile(r"^(cent|met|lit|fib|theat)re(?=(?:s|d)?$)"), r"\1er"),
    (re.compile(r"(?<=[a-z]{3})ogue(?=s?$)"), "og"),
]
SYMBOLS = {
    "\u2113": "l",
    "\u2207": " nabla ",
    "\u2211": " sum ",
    "\u222b": " integral ",
    "\u221a": " sqrt ",
    "\u221e": " infinity ",
    "\u2202": " partial ",
}
GREEK_LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi"
    " psi omega"
)
GREEK = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", GREEK_LETTERS.split(), strict=True))


def folded(text: str) -> str:
    """`text` in small letters without accents, ligatures and letter-like symbols resolved."""
    if text.isascii():
        return text.lower()
    for symbol, name in SYMBOLS.items():
        text = text.replace(symbol, name)
    text = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in text if not unicodedata.combining(letter)).casefold()


def words(text: str) -> Iterator[str]:
    """The words to index `text` by, in order."""
    text = COMMAND.sub(" ", text).replace("\\ell", " l").replace("\u00ad", "")
    text = POWER.sub(r"\1 \1\2", text)
    for token in TOKEN.findall(text if text.isascii() else unicodedata.normalize("NFC", text)):
        yield from _token_words(token)


def _token_words(token: str) -> Iterator[str]:
    if token.lower() in SPOKEN:
        yield SPOKEN[token.lower()]
        return
    parts = [part for piece in re.split(r"[-_]", token) for part in HUMP.split(piece)]
    for part in parts:
        yield from _plain(folded(part))
    if len(parts) > 1:
        whole = folded("".join(parts))
        if len(whole) <= LONGEST_WORD and not UNSPACED.search(whole):
            yield whole


def _plain(word: str) -> Iterator[str]:
    if not word or len(word) > LONGEST_WORD * 4:
        return
    if word in GREEK:
        yield GREEK[word]
    elif UNSPACED.search(word):
        yield from _pairs(word)
    else:
        yield from (spelt(piece) for piece in word.split() if len(piece) <= LONGEST_WORD)


@lru_cache(maxsize=50_000)
def spelt(word: str) -> str:
    """The word in American spelling, as far as a rule tells."""
    for pattern, american in SPELLINGS:
        word = pattern.sub(american, word)
    return word


def _pairs(word: str) -> Iterator[str]:
    at = 0
    for run in UNSPACED.finditer(word):
        if run.start() > at:
            yield word[at : run.start()]
        letters = run[0]
        yield from (letters[n : n + 2] for n in range(max(len(letters) - 1, 1)))
        at = run.end()
    if at < len(word):
        yield word[at:]


def headings_of(heading: str, text: str) -> str:
    """The heading that a passage stands under, and those inside it."""
    return "\n".join([heading, *HEADING_LINE.findall(text)])


def index_text(text: str) -> str:
    """What the database indexes for `text`."""
    return " ".join(words(text))


def terms(query: str, stop_words: frozenset[str], *, most: int = 24) -> list[str]:
    """The words of a question that say what it is about, each once, in order, at most `most`."""
    found = dict.fromkeys(word for word in words(query) if word not in stop_words)
    return list(found)[:most]


def runs(text: str) -> frozenset[tuple[str, ...]]:
    """The runs of three words in `text`: what near-duplicates share."""
    found = text.casefold().split()
    return frozenset(zip(found, found[1:], found[2:], strict=False)) or frozenset([tuple(found)])


def overlap(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> float:
    """How much of the shorter text's `runs` the other has: 1.0 is all of them."""
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0
