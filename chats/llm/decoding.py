"""From the bytes of a streamed completion to text: the hot path of every reply.

The openai client's typed chunks cost over a hundred microseconds each. Here a line is decoded straight into
the few fields that matter, about two microseconds, and only what doesn't fit them takes the slower, forgiving
way.
"""

import json
from typing import Any

import msgspec

from chats.llm.failures import failure, failure_in_stream
from chats.llm.protocol import FinishReason, Reasoning, Text, Usage
from core.text import storable

_LONGEST_LINE = 4 * 1024 * 1024

_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content-filter",
}


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None
    model: str = ""
    object: str | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class StreamDecoder:
    """Reads one reply. Feed it what came; it returns what the reply says, adjacent pieces joined.

    `finished` is true once the provider has said how the reply ended, `done` when nothing more is to be read.
    """

    def __init__(self) -> None:
        self.model = ""
        self.usage: Usage | None = None
        self.done = False
        self.said_text = False
        self.said_anything = False
        self.foreign = False
        self._finish_reason: str | None = None
        self._rest = b""
        self._begun_event = b""
        self._texts: list[str] = []
        self._out: list[Text | Reasoning] = []

    @property
    def finished(self) -> bool:
        return self.done or self._finish_reason is not None

    @property
    def finish_reason(self) -> FinishReason:
        return _FINISH_REASONS.get(self._finish_reason or "stop", "other")

    def feed(self, data: bytes) -> list[Text | Reasoning]:
        """Return the events in `data`, which may end anywhere; raises `ProviderError`.

        What came before the error in the same bytes can be had by `flush`.
        """
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LONGEST_LINE:
            raise failure("model_malformed")
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:])
            elif line.startswith(b"{"):
                self._event(line)
            elif line.strip():
                self._other_line(line)
            elif self._begun_event:
                raise failure("model_malformed")
        return self.flush()

    def feed_end(self) -> list[Text | Reasoning]:
        """Return what an unended last line holds; raises `ProviderError`."""
        return self.feed(b"\n") if self._rest.strip() else []

    def flush(self) -> list[Text | Reasoning]:
        if self._texts:
            self._out.append(Text("".join(self._texts)))
            self._texts.clear()
        events, self._out = self._out, []
        return events

    def _event(self, data: bytes) -> None:
        if self._begun_event:
            data = self._begun_event + b"\n" + data
        try:
            chunk = _decode(data)
        except ValueError:  # what msgspec raises for another shape, for broken JSON and for broken UTF-8
            if data.strip() == b"[DONE]":
                self.done = True
            else:
                self._odd_event(data)
        else:
            self._begun_event = b""
            self._take(chunk)

    def _take(self, chunk: _Chunk) -> None:
        for choice in chunk.choices:
            if choice.delta is not None:
                self._take_delta(choice.delta)
            if choice.finish_reason:
                self._finish_reason = choice.finish_reason
        if chunk.usage is not None:
            self.usage = Usage(max(0, chunk.usage.prompt_tokens), max(0, chunk.usage.completion_tokens))
        if chunk.error:
            raise failure_in_stream(chunk.error)
        if not self.model:
            self.model = storable(chunk.model)
        if chunk.object == "error":
            raise failure("model_error")

    def _take_delta(self, delta: _Delta) -> None:
        if delta.content:
            self._text(delta.content)
        elif thought := delta.reasoning_content or delta.reasoning:
            self._reasoning(thought)
        elif delta.refusal:
            self._text(delta.refusal)

    def _text(self, text: str) -> None:
        self.said_text = self.said_anything = True
        self._texts.append(storable(text) if "\0" in text else text)

    def _reasoning(self, text: str) -> None:
        self.said_anything = True
        if self._texts:
            self._out.append(Text("".join(self._texts)))
            self._texts.clear()
        text = storable(text)
        if self._out and isinstance(self._out[-1], Reasoning):
            self._out[-1].text += text
        else:
            self._out.append(Reasoning(text))

    def _odd_event(self, data: bytes) -> None:
        """Content in parts, an error beside the protocol, half a surrogate pair, an event over several
        lines."""
        try:
            payload = json.loads(data.decode(errors="replace"))
        except ValueError:
            if len(data) > _LONGEST_LINE:
                raise failure("model_malformed") from None
            self._begun_event = data  # it may go on in the next `data:` line; if not, a blank one ends it
            return
        self._begun_event = b""
        if not isinstance(payload, dict):
            raise failure("model_malformed")
        if payload.get("error"):
            raise failure_in_stream(payload["error"])
        choices = payload.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if not isinstance(choice, dict):
                raise failure("model_malformed")
            if isinstance(choice.get("delta"), dict):
                self._take_delta(_forgiven(choice["delta"]))
            if isinstance(choice.get("finish_reason"), str):
                self._finish_reason = choice["finish_reason"]

    def _other_line(self, line: bytes) -> None:
        if not line.startswith((b":", b"event", b"id", b"retry", b"\xef\xbb\xbf")):
            self.foreign = True


def _forgiven(delta: dict[str, Any]) -> _Delta:
    return _Delta(**{name: storable(_plain_text(delta.get(name))) for name in _Delta.__struct_fields__})


def _plain_text(content: object) -> str:
    """The text of a content that is a string, or a list of parts as some providers send it."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(
            _plain_text(part.get("text")) if isinstance(part, dict) else _plain_text(part) for part in content
        )
    return ""
