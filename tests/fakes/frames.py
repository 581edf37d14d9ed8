"""The bytes of a streamed completion, built once and sent many times."""

import json
from functools import lru_cache
from typing import Any

from tests.fakes.scenarios import UNICODE, Act, Script, Spec, pieces, whole_text, words

STAMP = "0stamp0 "
"""Where `--stamp` writes the time; as wide as that, so that frames keep their length."""


def stamp_of(seconds: float) -> bytes:
    """A monotonic clock's microseconds, their lowest 28 bits as seven hex digits: as long as a token of prose."""
    return b"%07x " % (int(seconds * 1e6) & 0xFFFFFFF)


_BROKEN = {"gated", "truncated", "drop-half", "malformed", "silent", "stream-error", "not-json", "no-done"}
_ODD = {"burst", "split", "crlf", "multi-line", "parts", "unclean", "heartbeat"}


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunk(model: str, delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        "obfuscation": "aJ3kd9",
        **more,
    }


def event(payload: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def said(model: str, text: str) -> bytes:
    return event(chunk(model, {"content": text}))


def ending(model: str, finish: str, tokens: int, *, usage: bool) -> bytes:
    """The last events: finish_reason, usage when it was asked for, `[DONE]`."""
    data = event(chunk(model, {}, finish))
    if usage:
        counts = {"prompt_tokens": 12, "completion_tokens": tokens, "total_tokens": 12 + tokens}
        data += event(chunk(model, {}, None) | {"choices": [], "usage": counts})
    return data + b"data: [DONE]\n\n"


def opening(model: str) -> bytes:
    return event(chunk(model, {"role": "assistant", "content": "", "refusal": None}))


def stamps(count: int) -> list[str]:
    """So many tokens that are stamps, in paragraphs of the length that a model's have."""
    return [STAMP + "\n\n" if number % 80 == 0 else STAMP for number in range(1, count + 1)]


@lru_cache(maxsize=256)
def plain(model: str, tokens: int, first_ms: float, stamp: bool, usage: bool) -> Script:
    said_words = stamps(tokens) if stamp else words(tokens)
    frames = [http_chunk(said(model, word)) for word in said_words]
    frames[0] = http_chunk(opening(model)) + frames[0]
    return Script((*frames, http_chunk(ending(model, "stop", tokens, usage=usage))), first_ms)


def _reply(model: str, texts: list[str], usage: bool, finish: str = "stop") -> tuple[bytes | Act, ...]:
    frames = [said(model, text) for text in texts] + [ending(model, finish, len(texts), usage=usage)]
    return tuple(http_chunk(frame) for frame in frames)


def script(spec: Spec, body: dict[str, Any], *, tokens: int, first_ms: float, stamp: bool) -> Script:
    """The stream with which this request is answered."""
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    model = spec.model
    if spec.scenario in _BROKEN:
        return _broken(spec, tokens, usage)
    if spec.scenario in _ODD:
        return _odd(spec, usage)
    match spec.scenario:
        case "echo" | "cite" | "markdown" | "hostile":
            return Script(_reply(model, pieces(whole_text(spec, body, tokens)), usage), first_ms)
        case "length" | "content-filter" as reason:
            return Script(_reply(model, words(10), usage, reason.replace("-", "_")))
        case "empty":
            return Script(_reply(model, [], usage))
        case "reasoning" | "reasoning-field":
            return _reasoning(spec, usage)
        case "long":
            tokens = int(spec.number(2000))
        case "slow-first":
            first_ms = spec.number(500)
        case "plain":
            tokens = int(spec.number(tokens))
    return plain(model, tokens, first_ms, stamp, usage)


def _reasoning(spec: Spec, usage: bool) -> Script:
    name = "reasoning_content" if spec.scenario == "reasoning" else "reasoning"
    thoughts = ["First ", "think, ", "then ", "speak."]
    frames = tuple(http_chunk(event(chunk(spec.model, {name: text, "content": None}))) for text in thoughts)
    return Script(frames + _reply(spec.model, words(5), usage))


def _broken(spec: Spec, tokens: int, usage: bool) -> Script:
    model, whole = spec.model, _reply(spec.model, words(tokens), usage)
    count = int(spec.number({"silent": 0, "stream-error": 2}.get(spec.scenario, 5)))
    begun = whole[:count]
    match spec.scenario:
        case "gated":
            return Script((*begun, Act.HOLD, *whole[count:]))
        case "truncated":
            return Script((*begun, Act.CLOSE))
        case "drop-half":
            return Script((*begun, Act.RESET))
        case "malformed":
            return Script((*begun, http_chunk(b'data: {"choices": [{"delta": {"cont\n\n'), *whole[count:]))
        case "stream-error":
            error = {"error": {"message": "The model is overloaded.", "type": "server_error", "code": None}}
            return Script((*begun, http_chunk(event(error)), Act.CLOSE))
        case "not-json":
            page = b"<!doctype html><title>Sign in to this network</title>\n"
            return Script((http_chunk(page), Act.CLOSE), content_type="text/html")
        case "no-done":
            return Script((*begun, http_chunk(event(chunk(model, {}, "stop"))), Act.CLOSE))
        case _:
            return Script((*begun, Act.STALL), head=count > 0)


def _odd(spec: Spec, usage: bool) -> Script:
    model = spec.model
    match spec.scenario:
        case "burst":
            return Script((b"".join(_bytes(_reply(model, words(int(spec.number(50))), usage))),))
        case "split":
            data = b"".join(said(model, text) for text in pieces(UNICODE)) + ending(model, "stop", 3, usage=usage)
            return Script(tuple(http_chunk(data[at : at + 7]) for at in range(0, len(data), 7)))
        case "crlf":
            frames = [b": keep-alive\n\n" + said(model, word) for word in words(5)]
            frames.append(ending(model, "stop", 5, usage=usage))
            return Script(tuple(http_chunk(f.replace(b"data: ", b"data:").replace(b"\n", b"\r\n")) for f in frames))
        case "multi-line":
            lines = json.dumps(chunk(model, {"content": "over several lines"}), indent=1).splitlines()
            data = "".join(f"data: {line}\n" for line in lines).encode() + b"\n"
            return Script((http_chunk(data), *_reply(model, [], usage)))
        case "parts":
            content = [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]
            return Script((http_chunk(event(chunk(model, {"content": content}))), *_reply(model, [], usage)))
        case "unclean":
            data = json.dumps(chunk(model, {"content": "nul\0half\ud83dend"})).encode()
            return Script((http_chunk(b"data: " + data + b"\n\n"), *_reply(model, [], usage)))
        case _:
            return Script(tuple([http_chunk(b": still here\n\n")] * 10_000), token_ms=50)


def _bytes(steps: tuple[bytes | Act, ...]) -> list[bytes]:
    return [step for step in steps if isinstance(step, bytes)]
