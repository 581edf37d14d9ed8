"""How well and how fast passages are found: `python benchmarks/retrieval.py [--quick]`.

Quality: the questions of `data/retrieval_questions.json` on the demo course, read by the site's own ingestion. For
each, the passages found by `courses.retrieval.search` and by plain BM25 (the library bm25s, over heading and text of
the same passages, with its English stop words) are compared with the places that answer. Hits that join neighbouring
passages count as so many passages, so both get the same number of tries.

Speed: the same questions in a made-up course of 100 short documents (2,000 passages) and of 100 long ones (20,000).

On SQLite, and on PostgreSQL where `TEST_DATABASE_URL` or the local default is reachable. Each database in a process of
its own; results as a table and in `results/retrieval.json`.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = ROOT / "benchmarks" / "data" / "retrieval_questions.json"
RESULTS = ROOT / "benchmarks" / "results" / "retrieval.json"
LOCAL_POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
DEPTH = 10
SIZES = {"100 documents, 2,000 passages": (100, 20), "100 documents, 20,000 passages": (100, 200)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="quality only")
    parser.add_argument(
        "--misses", action="store_true", help="print the questions that are not answered in the first 5"
    )
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(measure(quick=options.quick)))
        return
    results = {}
    for name, url in databases():
        flags = ["--quick"] if options.quick else []
        done = subprocess.run(
            [sys.executable, __file__, "--inside", name, *flags],
            env={**os.environ, "BENCHMARK_DATABASE": url},
            stdout=subprocess.PIPE,
            check=True,
        )
        results[name] = json.loads(done.stdout.splitlines()[-1])
        show(name, results[name], misses=options.misses)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2), encoding="utf-8")


def databases() -> list[tuple[str, str]]:
    import psycopg

    found = [("SQLite", "")]
    url = os.environ.get("TEST_DATABASE_URL") or LOCAL_POSTGRES
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        print("PostgreSQL is not reachable: left out. TEST_DATABASE_URL says where one is.")
    else:
        found.append(("PostgreSQL", url))
    return found


def measure(*, quick: bool) -> dict[str, Any]:
    """All figures on the database of this process, in a new database that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="studybuddy-bench-") as scratch:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="studybuddy.settings",
            ENV_FILE=os.devnull,
            DEBUG="true",
            MEDIA_ROOT=f"{scratch}/media",
            LOG_LEVEL="ERROR",
            DATABASE_URL=os.environ["BENCHMARK_DATABASE"] or f"sqlite:///{scratch}/bench.sqlite3",
        )
        sys.path.insert(0, str(ROOT))
        import django
        from django.conf import settings
        from django.db import connection

        django.setup()
        settings.DEBUG = False  # with it every query is kept in memory
        settings.DATABASES["default"]["TEST"]["NAME"] = (
            f"{scratch}/test.sqlite3" if connection.vendor == "sqlite" else f"studybuddy_bench_{os.getpid()}"
        )
        settings.DATABASES["default"].get("OPTIONS", {}).pop("pool", None)
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            results: dict[str, Any] = {"quality": quality()}
            if not quick:
                results["speed"] = {size: speed(*shape) for size, shape in SIZES.items()}
        finally:
            connection.creation.destroy_test_db(":none:", verbosity=0)
    return results


# --- Quality ------------------------------------------------------------------------------------------------------


def quality() -> dict[str, Any]:
    from courses import demo
    from courses.models import Passage

    user = student()
    course = demo.load()
    course.enrolments.create(user=user)
    passages = list(Passage.objects.select_related("document").order_by("document__title", "position"))
    by_id = {passage.pk: passage for passage in passages}
    from courses.retrieval import search

    def ours(question: str) -> list[Any]:
        hits = search(user=user, course=course, query=question, limit=DEPTH)
        return [by_id[passage_id] for hit in hits for passage_id in best_first(hit)][:DEPTH]

    def served(question: str) -> list[list[Any]]:
        hits = search(user=user, course=course, query=question, limit=DEPTH)
        return [[by_id[passage_id] for passage_id in hit.passage_ids] for hit in hits]

    plain = bm25(passages)
    questions = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    return {
        "questions": len(questions),
        "passages": len(passages),
        "words per passage": round(statistics.median(len(passage.text.split()) for passage in passages)),
        "search": figures(questions, lambda question: [[passage] for passage in ours(question)]),
        "search, joined hits": figures(questions, served),
        "BM25": figures(questions, lambda question: [[passage] for passage in plain(question)]),
    }


def best_first(hit: Any) -> list[Any]:
    return [hit.passage_id, *(other for other in hit.passage_ids if other != hit.passage_id)]


def bm25(passages: Sequence[Any]) -> Callable[[str], list[Any]]:
    import bm25s

    index = bm25s.BM25()
    texts = [f"{passage.heading}\n{passage.text}" for passage in passages]
    index.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)

    def ranked(question: str) -> list[Any]:
        words = bm25s.tokenize(question, stopwords="en", show_progress=False)
        numbers, scores = index.retrieve(words, k=DEPTH, show_progress=False)
        return [passages[number] for number, score in zip(numbers[0], scores[0], strict=True) if score > 0]

    return ranked


def figures(questions: Sequence[dict[str, Any]], find: Callable[[str], list[list[Any]]]) -> dict[str, Any]:
    ranks = {asked["question"]: first_answer(find(asked["question"]), asked["answers"]) for asked in questions}
    kinds = sorted({asked["kind"] for asked in questions})
    at_five = {
        kind: share([ranks[asked["question"]] for asked in questions if asked["kind"] == kind], 5) for kind in kinds
    }
    found = list(ranks.values())
    return {
        "recall@1": share(found, 1),
        "recall@5": share(found, 5),
        "MRR": round(statistics.mean(1 / rank if rank else 0.0 for rank in found), 4),
        "recall@5 by kind": at_five,
        "misses": [question for question, rank in ranks.items() if not rank or rank > 5],
    }


def share(ranks: Sequence[int | None], most: int) -> float:
    return round(sum(rank is not None and rank <= most for rank in ranks) / len(ranks), 4)


def first_answer(groups: Sequence[Sequence[Any]], answers: Sequence[dict[str, Any]]) -> int | None:
    """At which place, from 1, the first passage stands that is an answer."""
    for rank, group in enumerate(groups, start=1):
        if any(answers_at(passage, answer) for passage in group for answer in answers):
            return rank
    return None


def answers_at(passage: Any, answer: dict[str, Any]) -> bool:
    if passage.document.file_name != answer["file"]:
        return False
    place = answer["locator"]
    if "heading" in place:
        # A passage that goes over several short sections has the headings of the later ones in its text.
        section = place["heading"].rsplit(" › ", 1)[-1]
        inside = re.search(rf"^#+ {re.escape(section)}$", passage.text, re.MULTILINE) is not None
        return passage.heading == place["heading"] or inside
    if "start_seconds" in place:
        begin, end = place["start_seconds"]
        last = passage.marks[-1][1]
        return passage.start_seconds <= end and last >= begin
    if "page" in place:
        return any(mark[0] == place["page"] for mark in passage.marks)
    return bool(passage.slide == place["slide"])


# --- Speed --------------------------------------------------------------------------------------------------------


def speed(documents: int, passages_each: int) -> dict[str, float]:
    from django.db import connection

    from courses.models import Course
    from courses.retrieval import search

    user = student()
    course = Course.objects.create(code=f"BIG{passages_each}", title="Much material")
    course.enrolments.create(user=user)
    fill(course, documents, passages_each)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    questions = [asked["question"] for asked in json.loads(QUESTIONS.read_text(encoding="utf-8"))]
    for question in questions[:10]:
        search(user=user, course=course, query=question)
    times = []
    for question in questions:
        begin = time.perf_counter()
        search(user=user, course=course, query=question)
        times.append((time.perf_counter() - begin) * 1000)
    cuts = statistics.quantiles(times, n=100)
    return {"p50 ms": round(cuts[49], 1), "p95 ms": round(cuts[94], 1), "max ms": round(max(times), 1)}


def fill(course: Any, documents: int, passages_each: int) -> None:
    """Passages of about 220 words: half from the demo course as often as there, half of a long-tailed vocabulary."""
    from courses.models import Document, Passage

    chance = random.Random(7)
    real = re.findall(
        r"\w+", " ".join(Passage.objects.filter(document__course__code="ML101").values_list("text", flat=True))
    )
    made_up = ["".join(chance.choices("abcdefghijklmnoprstuvw", k=chance.randint(4, 10))) for _ in range(30_000)]
    weights = list(accumulate(1 / (rank + 10) for rank in range(len(made_up))))
    for number in range(documents):
        document = Document.objects.create(
            course=course, title=f"Material {number}", file=f"{number}.md", file_name=f"{number}.md", kind="markdown",
            state="ready", sha256=f"{number:064}", language="english",
        )  # fmt: skip
        rows = []
        for position in range(passages_each):
            words = chance.choices(real, k=110) + chance.choices(made_up, cum_weights=weights, k=110)
            chance.shuffle(words)
            rows.append(
                Passage(document=document, position=position, text=" ".join(words), heading=" ".join(words[:4]))
            )
        Passage.objects.bulk_create(rows)


def student() -> Any:
    from django.contrib.auth.models import User

    return User.objects.get_or_create(username="benchmark")[0]


# --- Showing ------------------------------------------------------------------------------------------------------


def show(name: str, results: dict[str, Any], *, misses: bool) -> None:
    found = results["quality"]
    print(
        f"\n{name}: {found['questions']} questions, {found['passages']} passages of {found['words per passage']} words"
    )
    print(f"  {'':<22}{'recall@1':>10}{'recall@5':>10}{'MRR':>8}")
    for way in ("search", "search, joined hits", "BM25"):
        row = found[way]
        print(f"  {way:<22}{row['recall@1']:>10.3f}{row['recall@5']:>10.3f}{row['MRR']:>8.3f}")
    for kind, recall in found["search"]["recall@5 by kind"].items():
        print(f"    {kind:<14} recall@5 {recall:.3f}, BM25 {found['BM25']['recall@5 by kind'][kind]:.3f}")
    if misses:
        print("  not in the first 5:", *found["search"]["misses"], sep="\n    ")
    for size, row in results.get("speed", {}).items():
        print(f"  {size}: p50 {row['p50 ms']} ms, p95 {row['p95 ms']} ms, max {row['max ms']} ms")


if __name__ == "__main__":
    main()
