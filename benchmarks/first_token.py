"""How long a student waits for the first token beyond what the model takes, and fifty chats begun within a second.

    python -m benchmarks.first_token [--quick] [--one-cpu]

`asked` is from the question on the socket to the first token on it, with the turn committed, the course searched and
the prompt recorded in between; `sent` only from when the model sent that token. Both beside a direct call of the openai
client to the same model, made in turn with them. The fifty are begun several times, by fifty others each time; the
figures are the medians. SQLite, then PostgreSQL where one is reachable.
"""

import argparse
import asyncio
import itertools
import statistics
import time
from typing import Any

import openai

from benchmarks import processes, report
from benchmarks.load import LONGEST_WAIT_SECONDS, QUESTION, Page, age_of
from benchmarks.processes import Running

MODEL = "plain:50@5"
TOGETHER = 50
ROUNDS = 7
PAUSE_SECONDS = 1.0
WARM_UP = 3
COLUMNS = {
    "server": "server",
    "direct_asked_ms": "direct asked ms",
    "asked_ms": "asked ms",
    "direct_sent_ms": "direct sent ms",
    "sent_ms": "sent ms",
    "added_ms": "sent, above direct ms",
    "together_p50_ms": f"{TOGETHER} in 1 s: p50 ms",
    "together_p95_ms": "p95 ms",
    "together_failed": "failed",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="10 questions in place of 40, and one round of fifty")
    parser.add_argument("--one-cpu", action="store_true", help="keep the site to one CPU")
    parser.add_argument("--servers", nargs="+", choices=processes.SERVERS, default=processes.SERVERS[:1])
    options = parser.parse_args()
    times, rounds = (10, 1) if options.quick else (40, ROUNDS)
    processes.allow_many_files()
    names = ["SQLite", *(["PostgreSQL"] if processes.postgres_url() else [])]
    rows = []
    with processes.model_server(token_ms=5.0) as model:
        for name, asgi in itertools.product(names, options.servers):
            with processes.database(name) as database:
                settings = processes.environment(database, model, MODEL)
                people = processes.seed(settings, WARM_UP + times + rounds * TOGETHER)
                with processes.site(settings, on=asgi, on_one_cpu=options.one_cpu) as server:
                    targets = processes.targets(server.port, people)
                    measured = asyncio.run(measure(targets, rounds, model))
                    rows.append({"server": processes.site_name(name, asgi), **measured})
    print(report.table("The first token", COLUMNS, rows))
    print(f"\n{report.save('first_token', {'options': vars(options), 'rows': rows})}")


async def measure(targets: list[dict[str, Any]], rounds: int, model: Running) -> dict[str, Any]:
    one_by_one, rest = targets[: -rounds * TOGETHER], targets[-rounds * TOGETHER :]
    asked, sent, direct_asked, direct_sent = [], [], [], []
    async with openai.AsyncOpenAI(base_url=processes.base_url(model), api_key="none", max_retries=0) as client:
        for target in one_by_one:
            waited, travelled = await direct(client)
            direct_asked.append(waited)
            direct_sent.append(travelled)
            page = await asked_by(target)
            first_sent, first_here = page.tokens()[0]
            asked.append((first_here - page.asked_at) * 1000)
            sent.append((first_here - first_sent) * 1000)
    medians = [statistics.median(values[WARM_UP:]) for values in (direct_asked, asked, direct_sent, sent)]
    named = dict(zip(("direct_asked_ms", "asked_ms", "direct_sent_ms", "sent_ms"), medians, strict=True))
    return {**named, "added_ms": named["sent_ms"] - named["direct_sent_ms"], **await all_rounds(rest)}


async def all_rounds(targets: list[dict[str, Any]]) -> dict[str, Any]:
    rounds = []
    for begin in range(0, len(targets), TOGETHER):
        rounds.append(await all_at_once(targets[begin : begin + TOGETHER]))
        await asyncio.sleep(PAUSE_SECONDS)
    medians = {name: statistics.median(one[name] for one in rounds) for name in ("together_p50_ms", "together_p95_ms")}
    return {**medians, "together_failed": sum(one["together_failed"] for one in rounds)}


async def direct(client: openai.AsyncOpenAI) -> tuple[float, float]:
    """Milliseconds from asking, and from the model's sending, to the first token."""
    begun = time.monotonic()
    stream = await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    first: tuple[float, float] | None = None
    async for chunk in stream:
        if first is None and chunk.choices and (text := chunk.choices[0].delta.content):
            now = time.monotonic()
            first = (now - begun) * 1000, age_of(text.strip().encode(), now) * 1000
    assert first is not None, "the model said nothing"
    return first


async def asked_by(target: dict[str, Any]) -> Page:
    """A page that has asked and got its whole answer."""
    page = Page(target)
    await page.open(asyncio.Semaphore(1))
    page.ask()
    assert await asyncio.wait_for(page.ended, LONGEST_WAIT_SECONDS), "the reply failed"
    page.socket.close()
    return page


async def all_at_once(targets: list[dict[str, Any]]) -> dict[str, Any]:
    pages = [Page(target) for target in targets]
    gate = asyncio.Semaphore(10)
    await asyncio.gather(*(page.open(gate) for page in pages))
    for page in pages:
        page.ask()
        await asyncio.sleep(1 / len(pages))
    await asyncio.wait([page.ended for page in pages], timeout=LONGEST_WAIT_SECONDS)
    firsts = [(page.tokens()[0][1] - page.asked_at) * 1000 for page in pages if page.frames]
    for page in pages:
        page.socket.close()
    return {
        **{f"together_p{percent}_ms": report.percentile(firsts, percent) for percent in (50, 95)},
        "together_failed": sum(not (page.ended.done() and page.ended.result()) for page in pages),
    }


if __name__ == "__main__":
    main()
