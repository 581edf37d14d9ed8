"""Replies that come to a good end."""

import asyncio
from contextlib import aclosing

from chats.llm.openai_compatible import OpenAICompatible
from chats.llm.protocol import Usage
from tests.chats.llm.conftest import hear, request_for
from tests.fakes.fixtures import ModelServer
from tests.fakes.scenarios import CITING, MARKDOWN, UNICODE, words


async def test_a_reply_streams_word_by_word(provider: OpenAICompatible) -> None:
    heard = await hear(provider, request_for("plain:20@5"))
    assert heard.text == "".join(words(20))
    assert len(heard.texts) > 1
    assert heard.finished is not None
    assert heard.finished.finish_reason == "stop"
    assert heard.finished.usage == Usage(prompt_tokens=12, completion_tokens=20)
    assert heard.finished.model == "plain:20@5"


async def test_the_first_words_come_while_the_rest_is_held(
    provider: OpenAICompatible, model_server: ModelServer
) -> None:
    stream = provider.stream(request_for("gated:3#first"))
    heard = ""
    async for event in stream:
        heard += getattr(event, "text", "")
        if heard == "".join(words(3)):
            await model_server.wait_async("gated:3#first", "held")
            assert model_server.release("gated:3#first") == 1
    assert heard == "".join(words(20))


async def test_the_prompt_arrives_as_it_was_built(provider: OpenAICompatible, model_server: ModelServer) -> None:
    heard = await hear(provider, request_for("echo#prompt", content="Was ist η?\n\n```\ncode\n```"))
    assert heard.text == "[system]\nYou are a tutor.\n\n[user]\nWas ist η?\n\n```\ncode\n```"
    (request,) = model_server.requests("echo#prompt")
    assert request["headers"]["authorization"] == "Bearer sk-test"
    assert request["body"]["stream_options"] == {"include_usage": True}


async def test_markdown_code_and_formulas_arrive_untouched(provider: OpenAICompatible) -> None:
    assert (await hear(provider, request_for("markdown"))).text == MARKDOWN
    assert (await hear(provider, request_for("cite"))).text == CITING


async def test_what_is_already_there_comes_in_one_piece(provider: OpenAICompatible) -> None:
    heard = await hear(provider, request_for("burst:50"))
    assert heard.texts == ["".join(words(50))]


async def test_characters_cut_between_packets_are_whole(provider: OpenAICompatible) -> None:
    assert (await hear(provider, request_for("split"))).text == UNICODE


async def test_line_ends_and_comments_of_other_servers_are_understood(provider: OpenAICompatible) -> None:
    assert (await hear(provider, request_for("crlf"))).text == "".join(words(5))


async def test_an_event_over_several_lines_is_one(provider: OpenAICompatible) -> None:
    assert (await hear(provider, request_for("multi-line"))).text == "over several lines"


async def test_content_in_parts_is_joined(provider: OpenAICompatible) -> None:
    assert (await hear(provider, request_for("parts"))).text == "in parts"


async def test_what_no_text_column_can_hold_is_replaced(provider: OpenAICompatible) -> None:
    assert (await hear(provider, request_for("unclean"))).text == "nul\ufffdhalf\ufffdend"


async def test_thoughts_come_apart_from_the_answer_under_either_name(provider: OpenAICompatible) -> None:
    for model in ("reasoning", "reasoning-field"):
        heard = await hear(provider, request_for(model))
        assert "".join(heard.thoughts) == "First think, then speak."
        assert heard.text == "".join(words(5))


async def test_an_end_by_length_or_filter_is_told(provider: OpenAICompatible) -> None:
    for model, reason in (("length", "length"), ("content-filter", "content-filter")):
        heard = await hear(provider, request_for(model))
        assert heard.text == "".join(words(10))
        assert heard.finished is not None
        assert heard.finished.finish_reason == reason


async def test_a_server_that_knows_no_usage_is_asked_without_it_from_then_on(
    provider: OpenAICompatible, model_server: ModelServer
) -> None:
    for _ in range(2):
        heard = await hear(provider, request_for("no-usage"))
        assert heard.finished is not None
        assert heard.finished.usage is None
    asked = ["stream_options" in request["body"] for request in model_server.requests("no-usage")]
    assert asked == [True, False, False]


async def test_an_end_without_the_done_mark_is_an_end(provider: OpenAICompatible) -> None:
    heard = await hear(provider, request_for("no-done"))
    assert heard.error is None
    assert heard.finished is not None


async def test_short_answers_come_whole(provider: OpenAICompatible) -> None:
    assert await provider.complete(request_for("plain:4")) == "Gradient descent takes small"


async def test_one_connection_serves_one_reply_after_the_other(
    provider: OpenAICompatible, model_server: ModelServer
) -> None:
    for _ in range(3):
        await hear(provider, request_for("plain:3#reused"))
    assert len({request["peer"] for request in model_server.requests("plain:3#reused")}) == 1


async def test_only_a_read_that_took_all_there_was_lets_tokens_gather(model_server: ModelServer) -> None:
    """A model that is faster than reads with pauses between them is not slowed down to them."""
    waits = 0

    def wait() -> float:
        nonlocal waits
        waits += 1
        return 0.02

    async with aclosing(OpenAICompatible(base_url=model_server.base_url, gather_seconds=wait)) as provider:
        heard = await hear(provider, request_for("burst:5000"))
        assert heard.text == "".join(words(5000))
        assert waits < 30  # of about 75 reads
        assert (await hear(provider, request_for("plain:20@10"))).text == "".join(words(20))
        assert waits > 1


async def test_many_replies_at_once_stay_apart(provider: OpenAICompatible) -> None:
    heard = await asyncio.gather(
        *(hear(provider, request_for("echo", content=f"question {number} " * 20)) for number in range(100))
    )
    for number, one in enumerate(heard):
        assert one.text.endswith(f"[user]\n{f'question {number} ' * 20}")
