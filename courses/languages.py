"""Which language a text is in, by the small words that it uses, and which words say nothing in a question."""

from collections import Counter

from courses.analysis import folded

# Languages that PostgreSQL brings a stemmer for and that are told apart here. Others are "simple": not stemmed.
SMALL_WORDS = {
    "english": (
        "the of and to in is that it for was with as are this be by not or from which have an at we you can but their"
    ),
    "german": (
        "der die und das den von zu mit sich des auf ist im dem nicht ein eine als auch es werden aus"
        " hat dass sie nach wird bei einer um wir"
    ),
    "french": (
        "le la les des et est une dans que qui pour par sur pas plus avec sont ce il au nous cette ou mais ses leur aux"
    ),
    "spanish": (
        "el la los las y en que del por con una es para se lo como mas pero sus le ya este si porque"
        " esta son entre cuando muy"
    ),
    "italian": (
        "il di che la per non una sono del con si da come le dei nel alla gli della anche piu questo ha lo ma delle"
    ),
    "portuguese": (
        "o os que e do da em um para com nao uma se na por mais as dos como mas ao ele das tem seu sua"
        " ou quando muito nos ja"
    ),
    "dutch": (
        "de het een van en in is dat op te zijn voor met niet aan er om ook als dan maar bij nog uit"
        " wordt deze naar door"
    ),
    "swedish": ("och att det som en pa ar av for med den till inte om har de ett var jag ska men eller fran kan nar"),
    "danish": ("og at det er en til pa de som af med for den ikke der har et var jeg men om vi kan skal fra blev"),
    "norwegian": (
        "og det at er en til pa de som av med for den ikke der har et var jeg men om vi kan skal fra ble eller etter"
    ),
    "finnish": ("ja on ei se ettei etta oli han mutta kun niin ovat mita joka tai kuin myos sen jos voi olla vain"),
    "russian": ("и в не на что с по это как а но он из за к у от же для так все его она мы то бы"),
}
QUESTION_WORDS = (
    "a about after again all also am any because been before being between both could did do does doing"
    " during each explain few give had has he her here him his how i if into its just me more most much my"
    " need no nor now off on once only other our out over own please question say said says she should"
    " show so some something such tell than them then there these they thing things those through too"
    " under up us use used very want were what when where whether while who whom whose why will would your"
    " lecture lectures course slide slides page pages let lets get got does work works talk happen happens"
    " really actually exactly describe discuss discussed mention mentioned s t d ll re ve m don doesn isn"
)
SMALL = {name: frozenset(text.split()) for name, text in SMALL_WORDS.items()}
STOP_WORDS = frozenset().union(SMALL["english"], QUESTION_WORDS.split())
LEAST_HITS = 5
SAMPLE = 20_000  # characters


def language_of(text: str) -> str:
    """The name of the language that most of `text` is in, or "" where its small words don't tell."""
    found = Counter(word for word in folded(text[:SAMPLE]).split() if len(word) < 8)
    hits = {name: sum(found[word] for word in small) for name, small in SMALL.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] >= LEAST_HITS else ""


def stop_words(language: str) -> frozenset[str]:
    """Words that questions in `language` may hold without being about them."""
    return STOP_WORDS if language in ("", "english") else STOP_WORDS | SMALL.get(language, frozenset())
