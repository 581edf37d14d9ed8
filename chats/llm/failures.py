"""What went wrong at a provider, told so that a student knows what to do."""

import email.utils
import re
import time
from collections.abc import Mapping
from typing import Final

import openai

from chats.llm.protocol import ErrorCode, ProviderError

_OPERATOR = "Please tell whoever runs this site."

_DETAILS: Final[dict[ErrorCode, str]] = {
    "model_auth": f"The language model does not accept this site's key. {_OPERATOR}",
    "model_not_found": f"The language model that this site asks for does not exist at its provider. {_OPERATOR}",
    "model_rate_limited": "Too many questions are being answered just now. Try again in a moment.",
    "model_quota": f"This site's account with the language model is used up. {_OPERATOR}",
    "model_server_error": "The language model's provider has a problem just now. Try again in a moment.",
    "model_unreachable": (
        "The language model can't be reached. Try again in a moment; if it stays so, tell whoever runs this site."
    ),
    "model_dropped": "The connection to the language model broke off. What came is kept; try again for the rest.",
    "model_malformed": "The language model sent something that can't be read. What came is kept; try again.",
    "model_empty": "The language model answered with nothing. Try again, or ask in other words.",
    "model_silent": "The language model stopped saying anything. What came is kept; try again.",
    "model_timeout": "The answer took too long and was ended. What came is kept; try again, or ask for less at once.",
    "context_too_long": "This conversation has become too long for the language model. Ask in a new chat.",
    "content_filter": "The language model's provider refused this by its content rules. Ask in other words.",
    "model_error": "The language model's provider refused the request. If it stays so, tell whoever runs this site.",
}
_RETRYABLE: Final[frozenset[ErrorCode]] = frozenset(
    {
        "model_rate_limited",
        "model_server_error",
        "model_unreachable",
        "model_dropped",
        "model_malformed",
        "model_empty",
        "model_silent",
        "model_timeout",
    }
)

# Providers name the same refusal in many ways; these are the words of OpenAI, Azure, vLLM, Ollama, llama.cpp,
# Mistral, Anthropic's and Google's compatible endpoints, and OpenRouter.
_TOO_LONG = re.compile(
    r"context[ _](length|window|size)|maximum context|too many (input )?tokens|prompt (is )?too long"
    r"|input is too long|exceed\w* .{0,60}(context|token)|token count.{0,40}exceed|reduce the length",
    re.IGNORECASE | re.DOTALL,
)
_FILTERED = re.compile(r"content[ _](filter|policy|management)|responsible ?ai|safety system|moderation", re.IGNORECASE)
_NO_CREDIT = re.compile(
    r"insufficient[ _](quota|balance|credit|funds)|exceeded your current quota|billing|payment required"
    r"|out of credits",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,120}(not found|does not exist|not exist|unknown)|(unknown|invalid) model", re.IGNORECASE
)


_BY_STATUS: Final[Mapping[int | None, ErrorCode]] = {
    401: "model_auth",
    402: "model_quota",
    404: "model_not_found",
    408: "model_server_error",
    409: "model_server_error",
    413: "context_too_long",
}
_BY_WORDS: Final[tuple[tuple[re.Pattern[str], ErrorCode], ...]] = (
    (_TOO_LONG, "context_too_long"),
    (_FILTERED, "content_filter"),
    (_NO_CREDIT, "model_quota"),
    (_NO_MODEL, "model_not_found"),
)


def failure(code: ErrorCode, *, retry_after: float | None = None, request_id: str | None = None) -> ProviderError:
    """Return the error for a code, with its text for the student."""
    return ProviderError(
        code, _DETAILS[code], retryable=code in _RETRYABLE, retry_after=retry_after, request_id=request_id
    )


def failure_of(error: openai.APIError) -> ProviderError:
    """Return what an exception of the openai client means.

    The provider's own message is not passed on: it may quote the key or the conversation. It stays in the
    cause.
    """
    if isinstance(error, openai.APIStatusError):
        code = _code(error.status_code, f"{error.code} {error.type} {error.message}")
        return failure(code, retry_after=_retry_after(error.response.headers), request_id=error.request_id)
    if isinstance(error, openai.APIConnectionError):
        return failure("model_unreachable")
    if isinstance(error, openai.APIResponseValidationError):
        return failure("model_malformed")
    return failure("model_error")


def failure_in_stream(error: object) -> ProviderError:
    """Return what an `error` inside a stream means: an object as OpenAI sends it, or only a text."""
    if not isinstance(error, dict):
        return failure(_code(None, str(error)))
    status = error.get("status", error.get("code"))
    said = f"{error.get('code')} {error.get('type')} {error.get('message')}"
    return failure(_code(status if isinstance(status, int) else None, said))


def refuses_usage(error: openai.APIError) -> bool:
    """Whether the server refused the request because it doesn't know `stream_options`."""
    return (
        isinstance(error, openai.APIStatusError)
        and error.status_code in {400, 422}
        and (
            "stream_options" in str(error.body) or "stream_options" in error.message or error.param == "stream_options"
        )
    )


def _code(status: int | None, said: str) -> ErrorCode:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status == 429 or (status is None and re.search("rate.?limit", said, re.IGNORECASE)):
        return "model_quota" if _NO_CREDIT.search(said) else "model_rate_limited"
    for words, code in _BY_WORDS:
        if words.search(said):
            return code
    if (status or 0) >= 500 or re.search(r"server.?error|overloaded|unavailable", said, re.IGNORECASE):
        return "model_server_error"
    return "model_auth" if status == 403 else "model_error"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the provider told, in milliseconds, seconds or as a date."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        told = headers.get("retry-after")
        if not told:
            return None
        if re.fullmatch(r"\s*\d+(\.\d*)?\s*", told):
            return float(told)
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
