"""The built-in tutor: quotes, places, honesty."""

import re

import pytest

from chats.llm import ProviderConfig, provider_from
from chats.llm.openai_compatible import OpenAICompatible
from chats.llm.protocol import Evidence, ModelRequest
from chats.llm.tutor import BuiltInTutor, answer
from tests.chats.llm.conftest import hear

DESCENT = Evidence(
    1,
    "Lecture 2: Gradient descent",
    "What is gradient descent?",
    """\
## What is gradient descent?

These notes were written in autumn. Gradient descent is an iterative method for minimising a function. The weather \
was fine on that day, i.e. it did not rain. One step of gradient descent is

$$
w_{t+1} = w_t - \\eta \\nabla J(w_t)
$$

where $\\eta$ is the learning rate. Lunch is at noon.""",
)
KMEANS = Evidence(
    2,
    "Lecture_5 *slides*",
    "slide 4",
    """\
K-means fails when clusters are not round, see [3].

| data | k-means |
|------|---------|
| rings | fails |
| blobs | works |

```python
for point in points:
    nearest[0] = point  # k-means fails? no.

    total += 1
```
""",
)


def request_for(question: str, *passages: Evidence) -> ModelRequest:
    return ModelRequest("", (), timeout_seconds=10, silence_seconds=5, passages=passages, question=question)


async def test_it_streams_quotes_with_their_citation_and_place() -> None:
    heard = await hear(BuiltInTutor(pace_seconds=0), request_for("What is gradient descent?", DESCENT))
    assert len(heard.texts) > 10
    assert heard.text.count("No language model is configured on this site") == 1
    assert "> Gradient descent is an iterative method for minimising a function." in heard.text
    assert "— Lecture 2: Gradient descent, What is gradient descent? [1]" in heard.text
    assert "weather" not in heard.text
    assert "Lunch" not in heard.text
    assert heard.finished is not None
    assert (heard.finished.finish_reason, heard.finished.usage) == ("stop", None)


def test_a_sentence_that_leads_into_a_formula_brings_it_whole() -> None:
    said = answer("What is one step of gradient descent?", (DESCENT,))
    assert "> $$\n> w_{t+1} = w_t - \\eta \\nabla J(w_t)\n> $$" in said


@pytest.mark.parametrize("question", ["For which data, rings or blobs, does k-means work?", "nearest point in points"])
def test_tables_and_code_are_whole_or_absent(question: str) -> None:
    said = answer(question, (KMEANS,))
    table = "> | data | k-means |\n> |------|---------|\n> | rings | fails |\n> | blobs | works |"
    code = "> ```python\n> for point in points:\n>     nearest[0] = point  # k-means fails? no.\n>\n"
    code += ">     total += 1\n> ```"
    assert table in said or code in said
    assert ("rings | fails" in said) == (table in said)
    assert ("for point" in said) == (code in said)


def test_numbers_in_a_source_do_not_pass_for_citations() -> None:
    said = answer("When does k-means fail?", (KMEANS,))
    assert re.findall(r"\[(\d+)\]", re.sub(r"```.*?```", "", said, flags=re.DOTALL)) == ["2"]
    assert "— Lecture\\_5 \\*slides\\*, slide 4 [2]" in said


def test_at_most_three_passages_are_quoted() -> None:
    passages = tuple(Evidence(n, "Notes", f"page {n}", f"Entropy measures surprise, part {n}.") for n in range(1, 7))
    said = answer("What does entropy measure?", passages)
    assert [int(number) for number in re.findall(r"\[(\d+)\]", said)] == [1, 2, 3]


def test_passages_that_share_no_word_are_passed_over() -> None:
    said = answer("When does k-means fail?", (DESCENT, KMEANS))
    assert "[2]" in said
    assert "[1]" not in said


async def test_nothing_found_is_said_with_what_to_do() -> None:
    heard = await hear(BuiltInTutor(pace_seconds=0), request_for("Who won the cup?"))
    assert "No language model is configured" in heard.text
    assert "found none" in heard.text
    assert "other words" in heard.text
    assert "[" not in heard.text


def test_a_weak_match_is_called_one() -> None:
    said = answer("Who won the cup?", (DESCENT,))
    assert "no passage that shares a word with your question" in said
    assert "[1]" in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "```\nnever closed",
        "$$\nnever closed",
        "| one row",
        "# only a heading",
        "word " * 5000,
        ">" * 3000,
        "$" * 999,
    ],
)
def test_any_passage_can_be_quoted(text: str) -> None:
    said = answer("never closed word", (Evidence(1, "", "", text),))
    assert "[1]" in said
    assert said.count("```") % 2 == 0


async def test_a_title_is_the_question_made_short() -> None:
    tutor = BuiltInTutor()
    assert (
        await tutor.complete(request_for("\n What is **gradient descent**?\nI missed it."))
        == "What is gradient descent"
    )
    long = await tutor.complete(
        request_for("Why does a learning rate that is far too large make the loss diverge so quickly?")
    )
    assert long == "Why does a learning rate that is far too large make the…"
    assert await tutor.complete(request_for("  ")) == ""


async def test_without_key_and_address_the_tutor_answers() -> None:
    assert isinstance(provider_from(ProviderConfig()), BuiltInTutor)
    for config in (ProviderConfig(api_key="sk-x"), ProviderConfig(base_url="http://127.0.0.1:1/v1")):
        provider = provider_from(config)
        assert isinstance(provider, OpenAICompatible)
        await provider.aclose()
    assert "sk-x" not in repr(ProviderConfig(api_key="sk-x"))
