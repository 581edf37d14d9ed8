"""A reply's events as AI SDK's UI message stream, version 1: only parts that both major versions in use accept.

`Encoder` is pure: events in, frames out. A frame is one `data:` line of JSON with an empty line after it.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec

from chats.models import Message
from chats.replies.events import Event, ReasoningDelta, Restarted, Snapshot, SourcesKnown, TextDelta
from chats.representation import source_data

HEADERS = {
    "x-vercel-ai-ui-message-stream": "v1",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}
DONE = "data: [DONE]\n\n"
COMMENT = ": still thinking\n\n"
FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content-filter",
    "content-filter": "content-filter",
}
RESTARTED = "The answer was interrupted and starts again"
UNFINISHED = "The answer could not be finished. Ask again."

TEXT_ID = "text"


def frame(kind: str, **fields: Any) -> str:
    return f"data: {msgspec.json.encode({'type': kind, **fields}).decode()}\n\n"


class Encoder:
    """One stream of one attempt at a reply."""

    def __init__(self, *, reply_id: UUID, session_id: UUID) -> None:
        self.reply_id = reply_id
        self.session_id = session_id
        self.attempt: int | None = None
        self.is_over = False
        self._text = 0  # code points sent
        self._reasoning = 0
        self._sources: list[dict[str, Any]] | None = None
        self._text_open = False
        self._thoughts = 0
        self._reasoning_open = False

    def take(self, event: Event) -> Iterator[str]:
        """What to send for an event of the running reply. After a restart the stream is over."""
        if self.attempt is not None and getattr(event, "attempt", self.attempt) != self.attempt:
            yield from self.fail(RESTARTED)
        elif isinstance(event, Snapshot):
            yield from self._begin(event.attempt)
            yield from self._know(event.sources)
            yield from self._think(event.reasoning[self._reasoning :])
            yield from self._say(event.text[self._text :])
        elif isinstance(event, SourcesKnown):
            yield from self._know(event.sources)
        elif isinstance(event, ReasoningDelta):
            yield from self._think(event.text[max(0, self._reasoning - event.offset) :])
        elif isinstance(event, TextDelta):
            yield from self._say(event.text[max(0, self._text - event.offset) :])
        elif isinstance(event, Restarted):
            yield from self.fail(RESTARTED)

    def end(self, reply: Message) -> Iterator[str]:
        """The rest, once the reply is final: what was not sent yet, its sources as they were used, how it ended."""
        if self.attempt is not None and reply.attempt != self.attempt and (self._text or self._reasoning):
            yield from self.fail(RESTARTED)
            return
        yield from self._begin(reply.attempt)
        sources = [source_data(citation) for citation in reply.citations.all()]
        yield from self._know(sources or None)
        yield from self._think(reply.reasoning[self._reasoning :])
        yield from self._say(reply.content[self._text :])
        yield from self._close()
        if sources:
            yield frame("data-sources", id="sources", data=sources)
        if reply.state == Message.State.FAILED:
            yield from self.fail(reply.error_message or UNFINISHED)
            return
        yield frame("finish-step")
        if reply.state == Message.State.STOPPED:
            yield frame("message-metadata", messageMetadata=_outcome(reply))
            yield frame("abort")
        else:
            reason = FINISH_REASONS.get(reply.finish_reason, "other")
            yield frame("finish", finishReason=reason, messageMetadata=_outcome(reply))
        yield DONE
        self.is_over = True

    def fail(self, why: str) -> Iterator[str]:
        """End with an error. A stream that were only cut would look like success."""
        yield from self._close()
        yield frame("error", errorText=why)
        yield DONE
        self.is_over = True

    def _begin(self, attempt: int) -> Iterator[str]:
        if self.attempt is None:
            metadata = {"session_id": str(self.session_id), "attempt": attempt}
            yield frame("start", messageId=str(self.reply_id), messageMetadata=metadata)
            yield frame("start-step")
        self.attempt = attempt

    def _know(self, sources: list[dict[str, Any]] | None) -> Iterator[str]:
        if sources is None or self._sources is not None:
            return
        self._sources = sources
        for source in sources:
            place = {"marker": source["marker"], **source["locator"]}
            yield frame(
                "source-document",
                sourceId=source["passage_id"] or f"source-{source['marker']}",
                mediaType="text/plain",
                title=source["title"],
                providerMetadata={"studybuddy": place},
            )
        if sources:
            yield frame("data-sources", id="sources", data=sources)

    def _think(self, text: str) -> Iterator[str]:
        if not text:
            return
        if not self._reasoning_open:
            self._thoughts += 1
            self._reasoning_open = True
            yield frame("reasoning-start", id=f"reasoning-{self._thoughts}")
        yield frame("reasoning-delta", id=f"reasoning-{self._thoughts}", delta=text)
        self._reasoning += len(text)

    def _say(self, text: str) -> Iterator[str]:
        if not text:
            return
        yield from self._close_reasoning()
        if not self._text_open:
            self._text_open = True
            yield frame("text-start", id=TEXT_ID)
        yield frame("text-delta", id=TEXT_ID, delta=text)
        self._text += len(text)

    def _close(self) -> Iterator[str]:
        yield from self._close_reasoning()
        if self._text_open:
            self._text_open = False
            yield frame("text-end", id=TEXT_ID)

    def _close_reasoning(self) -> Iterator[str]:
        if self._reasoning_open:
            self._reasoning_open = False
            yield frame("reasoning-end", id=f"reasoning-{self._thoughts}")


def _outcome(reply: Message) -> dict[str, Any]:
    tokens = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
    usage = {name: count for name, count in tokens.items() if count is not None}
    return {"state": reply.state, "usage": usage}
