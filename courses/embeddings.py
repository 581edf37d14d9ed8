"""Texts as vectors, from the OpenAI-compatible endpoint of the settings: near each other where they mean alike.

Imported where it is needed: the openai package and NumPy take a while to load, and not every site has a model.
"""

import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import openai
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Vector = np.ndarray[tuple[int], np.dtype[np.float32]]

BATCH = 64
BATCH_SECONDS = 30.0
QUESTION_SECONDS = 1.5
REST_SECONDS = 15.0  # after a question that was not answered in time: the next ones don't wait for nothing
LONGEST_TEXT = 6_000  # characters; models of 512 tokens refuse much shorter ones, see `embed`
SHORTEST_CUT = 700
RETRIES = 2


class EmbeddingError(Exception):
    """No vectors. The message says why, as the end of a sentence about the endpoint; `text_refused` if others may do
    better with other texts.
    """

    def __init__(self, message: str, *, text_refused: bool = False) -> None:
        super().__init__(message)
        self.text_refused = text_refused


def embed(texts: Sequence[str], *, seconds: float = BATCH_SECONDS, retries: int = RETRIES) -> Vectors:
    """A vector of length one for each text. A text that is too long for the model is embedded by its beginning.
    Raises EmbeddingError.
    """
    most = LONGEST_TEXT
    while True:
        try:
            return _asked([text[:most] or " " for text in texts], seconds, retries)
        except EmbeddingError as error:
            most //= 2
            if not error.text_refused or most < SHORTEST_CUT:
                raise


def of_question(text: str) -> Vector | None:
    """The vector of a question, None when the endpoint doesn't give it in time. Those asked again are remembered."""
    endpoint = (settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY, settings.EMBEDDING_MODEL)
    if _rest.lasts(endpoint):
        return None
    try:
        return _of_question(endpoint, text[:LONGEST_TEXT])
    except EmbeddingError as error:
        log.warning("question not embedded", error=str(error))
        if not error.text_refused:
            _rest.begin(endpoint)
        return None


@lru_cache(maxsize=500)
def _of_question(endpoint: tuple[str, str, str], text: str) -> Vector:
    del endpoint  # it only tells apart what is remembered
    found: Vector = embed([text], seconds=QUESTION_SECONDS, retries=0)[0]
    return found


class _Rest:
    """Until when an endpoint is left alone."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def begin(self, endpoint: tuple[str, str, str]) -> None:
        with self._lock:
            self._until = {endpoint: time.monotonic() + REST_SECONDS}

    def lasts(self, endpoint: tuple[str, str, str]) -> bool:
        return time.monotonic() < self._until.get(endpoint, 0.0)


_rest = _Rest()


@lru_cache(maxsize=2)
def _client(base_url: str, api_key: str) -> openai.OpenAI:
    # Servers without sign-in need no key, but the client wants one.
    return openai.OpenAI(base_url=base_url or None, api_key=api_key or "none")


def _asked(texts: Sequence[str], seconds: float, retries: int) -> Vectors:
    client = _client(settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY).with_options(max_retries=retries)
    try:
        answer = client.embeddings.create(model=settings.EMBEDDING_MODEL, input=list(texts), timeout=seconds)
        rows = sorted(answer.data, key=lambda row: row.index)
        vectors = np.array([row.embedding for row in rows], dtype="<f4")
    except openai.OpenAIError as error:
        raise _explained(error) from error
    except (AttributeError, TypeError, ValueError) as error:
        raise EmbeddingError("answered with something else than vectors") from error
    if vectors.ndim != 2 or len(vectors) != len(texts) or not vectors.size or not np.isfinite(vectors).all():
        raise EmbeddingError("answered with something else than vectors")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype("<f4")
    return unit


def _explained(error: openai.OpenAIError) -> EmbeddingError:
    status: Any = getattr(error, "status_code", None)
    if isinstance(error, openai.APITimeoutError):
        return EmbeddingError("did not answer in time")
    if isinstance(error, openai.APIConnectionError):
        return EmbeddingError("can't be reached")
    if status in (401, 403):
        return EmbeddingError("does not accept this site's key")
    if status == 404:
        return EmbeddingError(f"does not know the model {settings.EMBEDDING_MODEL}")
    if status == 429:
        return EmbeddingError("is busy, or this site's account with it is used up")
    if status in (400, 413, 422):
        return EmbeddingError("refused the text", text_refused=True)
    return EmbeddingError("has a problem")
