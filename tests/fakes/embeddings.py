"""Embeddings without a model: texts that share word stems, or synonyms that it knows, are near each other, the same on
every machine.
"""

import base64
import hashlib
import re
import struct
from functools import lru_cache
from typing import Any

_WORD = re.compile(r"[^\W_]+")
_ENDINGS = (
    "ations",
    "ation",
    "ingly",
    "ings",
    "ing",
    "ies",
    "ied",
    "edly",
    "ers",
    "ed",
    "er",
    "es",
    "ly",
    "s",
)
_SYNONYMS = {"automobile": "car", "physician": "doctor", "feline": "cat", "dwell": "live"}
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can do does for from has how i in is it its of on or that the this to was "
        "what when where which who why will with you",
    )
)


@lru_cache(maxsize=65_536)
def _place(stem: str, dimensions: int) -> tuple[int, float]:
    digest = hashlib.blake2b(stem.encode(), digest_size=8).digest()
    number = int.from_bytes(digest, "big")
    return number % dimensions, 1.0 if number >> 63 else -1.0


def stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return _SYNONYMS.get(word, word)


def embed(text: str, dimensions: int = 128) -> list[float]:
    """Return a unit vector: a signed, hashed bag of the text's word stems.

    A text without any gets the first axis.
    """
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()):
        if word not in _COMMON:
            place, sign = _place(stem(word), dimensions)
            vector[place] += sign
    norm = sum(value * value for value in vector) ** 0.5
    if norm == 0:
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / norm for value in vector]


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /v1/embeddings`, as lists or as the base64 that the openai client asks for."""
    texts = body.get("input", [])
    texts = [texts] if isinstance(texts, str) else texts
    dimensions = int(body.get("dimensions") or 128)
    data = []
    for index, text in enumerate(texts):
        vector: list[float] | str = embed(str(text), dimensions)
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    used = sum(len(_WORD.findall(str(text))) for text in texts)
    return {
        "object": "list",
        "data": data,
        "model": body.get("model", ""),
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }
