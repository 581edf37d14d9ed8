"""Making one reply: find sources, build the prompt, stream from the model, end. One attempt, one task."""

import asyncio
import re
import time
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import structlog
from django.conf import settings
from django.utils import timezone

from chats import markup, prompts
from chats.llm.protocol import Finished, ModelRequest, Provider, ProviderError, Reasoning, Text, Usage
from chats.replies import preparation
from chats.replies.live import LiveReply, links
from chats.replies.rush import Rush
from chats.services import replies
from chats.services.replies import Ending, Job, Piece
from core.background import spawn
from core.database import AWAY, in_database, in_supervision
from core.errors import Conflict
from core.text import storable

log = structlog.get_logger(__name__)

Reason = Literal["stop", "lost", "handover"]
# What a reply may hold; a model that won't end is ended here.
REPLY_MAX_CHARS = 1_000_000
RETRY_SECONDS = 0.5


class Run:
    """One attempt at a reply in this process. `cancel` says why it ends early."""

    def __init__(self, job: Job, live: LiveReply, provider: Provider, lease: Any, rush: Rush) -> None:
        self.job = job
        self.live = live
        self.task: asyncio.Task[None] | None = None
        self._provider = provider
        self._lease = lease
        self._runner_id = lease.runner_id
        self._rush = rush
        self._reason: Reason | None = None
        self._began = time.monotonic()
        self._first_token_at: datetime | None = None
        self._prepared: preparation.Prepared | None = None
        self._offsets = {"text": 0, "reasoning": 0}
        self._unflushed: dict[str, list[str]] = {"text": [], "reasoning": []}
        self.ending: Ending | None = None

    def cancel(self, reason: Reason) -> None:
        """End the run: stopped by its student, lost to another process, or handed over to one."""
        if self._reason is None and self.task is not None and self.ending is None:
            self._reason = reason
            self.task.cancel()

    def unflushed(self) -> list[Piece]:
        """What came since the last call, for the journal."""
        pieces = []
        for kind, parts in self._unflushed.items():
            if parts:
                text = "".join(parts)
                parts.clear()
                pieces.append(Piece(self.job.reply.pk, self.job.attempt, kind, self._offsets[kind], text))
                self._offsets[kind] += len(text)
        return pieces

    async def make(self) -> bool:
        """Run to the end, whatever it is, and write it down. False: another process has the reply by now."""
        try:
            ending = await self._answer()
        except asyncio.CancelledError:
            if self._reason != "stop":
                raise
            self._uncancel()
            ending = self._ending("stopped", "stopped", content=self.live.drop_unshown())
        except ProviderError as error:
            log.warning("reply failed", code=error.code, provider_request_id=error.request_id)
            ending = self._failed(error.code, error.detail, request_id=error.request_id or "")
        except Conflict:
            return False  # taken while it was prepared
        except Exception:
            log.exception("reply failed")
            ending = self._failed("internal_error", "Something went wrong on the server. Try again.")
        final = await self._finish(ending)
        if final:
            log.info("reply ended", state=ending.state, milliseconds=ending.processing_time_ms)
        return final

    def _uncancel(self) -> None:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()

    async def _answer(self) -> Ending:
        with self._rush:
            self._prepared = await self._prepare()
        self.live.know_sources(self._prepared.sources)
        try:
            finished = await self._stream(self._prepared)
        except ProviderError as error:
            if error.code != "context_too_long" or self.live.length:
                raise
            self._prepared = self._prepared.tightened()
            finished = await self._stream(self._prepared)
        return self._ending("complete", finished.finish_reason, usage=finished.usage, model=finished.model)

    async def _prepare(self) -> preparation.Prepared:
        """What the model is given. A database that is away is waited for, as long as a reply may take."""
        while True:
            try:
                return await in_database(preparation.prepare, self.job, self._runner_id)
            except AWAY as error:
                if time.monotonic() - self._began > settings.REPLY_TIMEOUT_SECONDS:
                    raise
                log.warning("reply not yet prepared", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _stream(self, prepared: preparation.Prepared) -> Finished:
        spent = time.monotonic() - self._began
        request = ModelRequest(
            model=self.job.reply.model or settings.CHAT_MODEL,
            messages=prepared.messages,
            timeout_seconds=max(1.0, settings.REPLY_TIMEOUT_SECONDS - spent),
            silence_seconds=settings.REPLY_SILENCE_SECONDS,
            passages=prepared.evidence,
            question=self.job.question.content,
        )
        events = self._provider.stream(request)
        try:
            async for event in events:
                if type(event) is Text:
                    self._came("text", event.text)
                    if self.live.length > REPLY_MAX_CHARS:
                        return Finished("length", None, request.model)
                elif type(event) is Reasoning:
                    self._came("reasoning", event.text)
                elif isinstance(event, Finished):
                    return event
        finally:
            # In a task: the provider may keep the connection for the next reply, and this one needn't wait for that.
            spawn(events.aclose(), name="provider-close")
        raise ProviderError("model_dropped", "The model's answer broke off. Try again.", retryable=True)

    def _came(self, kind: Literal["text", "reasoning"], text: str) -> None:
        text = storable(text)
        if self._first_token_at is None:
            self._first_token_at = timezone.now()
        self._unflushed[kind].append(text)
        if kind == "text":
            self.live.append(text)
        else:
            self.live.append_reasoning(text)

    def _failed(self, code: str, detail: str, *, request_id: str = "") -> Ending:
        return self._ending("failed", "error", error_code=code, error_message=detail, request_id=request_id)

    def _ending(
        self,
        state: str,
        finish_reason: str,
        *,
        content: str | None = None,
        usage: Usage | None = None,
        model: str = "",
        error_code: str = "",
        error_message: str = "",
        request_id: str = "",
    ) -> Ending:
        text = self.live.text() if content is None else content
        usage = usage or self._estimated(text)
        return Ending(
            reply_id=self.job.reply.pk,
            attempt=self.job.attempt,
            state=state,
            content=text,
            reasoning=self.live.reasoning(),
            finish_reason=finish_reason,
            model=model or self.job.reply.model or preparation.model_name(self._provider),
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            error_code=error_code,
            error_message=error_message,
            request_id=request_id,
            first_token_at=self._first_token_at,
            processing_time_ms=round((time.monotonic() - self._began) * 1000),
            title=preparation.title_of(self.job, self._provider),
        )

    def _estimated(self, text: str) -> Usage | None:
        """Tokens that a model made without saying how many, as when it was stopped: they count all the same."""
        if not text or self._prepared is None or preparation.is_built_in(self._provider):
            return None
        prompt = sum(prompts.estimate_tokens(message.content) for message in self._prepared.messages)
        return Usage(prompt, prompts.estimate_tokens(text))

    async def _finish(self, ending: Ending) -> bool:
        """Write the end down, for as long as it takes: a database that is away comes back."""
        self.ending = ending
        if self.live.may_show():
            self.live.flush()
        if ending.state == "complete":
            await self._rush.over()
        while True:
            try:
                return await asyncio.shield(in_supervision(_finish, self._runner_id, ending, self.live.sources))
            except AWAY as error:
                log.warning("reply not yet stored", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)


def _finish(runner_id: Any, ending: Ending, sources: list[dict[str, Any]] | None) -> bool:
    return replies.finish(runner_id=runner_id, ending=_with_citations(ending, sources))


def _with_citations(ending: Ending, sources: list[dict[str, Any]] | None) -> Ending:
    """The ending with the markers that the text really used: those that the page shows as chips."""
    if not sources:
        return ending
    html = "".join(markup.render_ended(ending.content, tuple(links(sources))))
    return replace(ending, cited=frozenset(int(marker) for marker in re.findall(r'data-marker="(\d+)"', html)))
