"""What a model is given for a reply: the course's passages as evidence, the turns before, the question."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.conf import settings

from chats import llm, prompts
from chats.llm.protocol import Evidence, PromptMessage, Provider
from chats.llm.tutor import BuiltInTutor
from chats.markup import plain_text
from chats.models import Citation, Message
from chats.replies.live import PACE
from chats.representation import locator_text, source_data
from chats.services import replies
from chats.services.replies import Job
from core.errors import Conflict
from courses import retrieval
from courses.models import Document, Lecture

PASSAGES = 6
TITLE_CHARS = 60


@dataclass(frozen=True)
class Prepared:
    """A prompt and what it cites; `sources` is what viewers are shown."""

    messages: tuple[PromptMessage, ...]
    evidence: tuple[Evidence, ...]
    sources: list[dict[str, Any]]
    course: prompts.CourseBrief | None
    turns: tuple[prompts.Turn, ...]
    question: str
    budget: int

    def tightened(self) -> "Prepared":
        """The same for a model that found it too long."""
        budget = prompts.tighter(self.budget)
        prompt = prompts.fit(
            course=self.course, turns=self.turns, evidence=self.evidence, question=self.question, token_budget=budget
        )
        return replace(self, messages=prompt.messages, budget=budget)


def provider() -> Provider:
    """The provider that the settings name."""
    return llm.provider_from(
        llm.ProviderConfig(
            base_url=settings.OPENAI_BASE_URL,
            api_key=settings.OPENAI_API_KEY,
            chat_model=settings.CHAT_MODEL,
            title_model=settings.TITLE_MODEL,
            gather_seconds=lambda: PACE.seconds,
        )
    )


def is_built_in(model: Provider) -> bool:
    return isinstance(model, BuiltInTutor)


def model_name(model: Provider) -> str:
    return model.name if is_built_in(model) else str(settings.CHAT_MODEL)


def title_of(job: Job, model: Provider) -> str:
    """The title that a session without one gets at once: the first question, where no model can write a better one."""
    if job.session.title or not is_built_in(model):
        return ""
    return plain_text(job.question.content, TITLE_CHARS)


def prepare(job: Job, runner_id: UUID) -> Prepared:
    """Find passages, build the prompt and note both in the database. Raises Conflict when the reply was lost."""
    turns = _turns(job.earlier)
    found = _search(job, turns)
    evidence = tuple(
        Evidence(marker, hit.title, locator_text(hit), hit.text) for marker, hit in enumerate(found, start=1)
    )
    course = _brief(job)
    budget = settings.CHAT_CONTEXT_TOKENS
    question = job.question.content
    prompt = prompts.fit(course=course, turns=turns, evidence=evidence, question=question, token_budget=budget)
    given = {passage.marker for passage in prompt.evidence}
    citations = [_citation(job.reply, marker, hit) for marker, hit in enumerate(found, start=1) if marker in given]
    sent = json.dumps([{"role": message.role, "content": message.content} for message in prompt.messages])
    if not replies.record_sources(
        reply_id=job.reply.pk, attempt=job.attempt, runner_id=runner_id, citations=citations, prompt=sent
    ):
        raise Conflict
    sources = [source_data(citation) for citation in citations]
    return Prepared(prompt.messages, prompt.evidence, sources, course, turns, question, budget)


def _turns(earlier: Sequence[Message]) -> tuple[prompts.Turn, ...]:
    """Questions with their answers. A failed reply without text leaves its question unanswered."""
    turns: list[prompts.Turn] = []
    for message in earlier:
        if message.role == "user":
            turns.append(prompts.Turn(message.content, None))
        elif message.content and turns and turns[-1].answer is None:
            turns[-1] = prompts.Turn(turns[-1].question, message.content)
        elif message.content:
            turns.append(prompts.Turn("", message.content))
    return tuple(turns)


def _brief(job: Job) -> prompts.CourseBrief | None:
    course = job.session.course
    if course is None:
        return None
    return prompts.CourseBrief(course.code, course.title, course.instructions, course.grounding)  # type: ignore[arg-type]


def _search(job: Job, turns: Sequence[prompts.Turn]) -> list[Any]:
    course = job.session.course
    if course is None:
        return []
    user, focus = job.session.user, job.question.metadata
    document = Document.objects.for_user(user).filter(pk=focus.get("document_id")).first() if focus else None
    lecture = Lecture.objects.for_user(user).filter(pk=focus.get("lecture_id")).first() if focus else None
    return list(
        retrieval.search(
            user=user,
            course=course,
            query=job.question.content,
            document=document,
            lecture=lecture,
            limit=PASSAGES,
            context=[turn.question for turn in turns[-2:]],
        )
    )


def _citation(reply: Message, marker: int, hit: Any) -> Citation:
    return Citation(
        message=reply,
        marker=marker,
        passage_id=hit.passage_id,
        document_id=hit.document_id,
        course_id=reply.session.course_id,
        quote=hit.text,
        document_title=hit.title,
        page=hit.page,
        slide=hit.slide,
        start_seconds=hit.start_seconds,
        heading=hit.heading,
        score=hit.score,
    )
