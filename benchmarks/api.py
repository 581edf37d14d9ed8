"""What the API's lists, searches and appends cost beside 2,000,000 messages of others.

    python -m benchmarks.api --database postgres://…/a_database_of_its_own            # 100,000 conversations of 20
    python -m benchmarks.api --database … --sessions 5000                             # a quick look

Each request goes through the whole site in this process (middleware, token, view, JSON): the least, p50 and p95 in ms,
the time that this process itself worked (the rest is PostgreSQL's, and waiting), queries, and kilobytes. One person has
10 conversations, one has 10,000 (a tenth of all in a quick look), and one conversation is long. Beside it stands, in
the same database, a store that keeps each conversation as one JSON value.
Results go to `benchmarks/results/api.json`.
"""

import argparse
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import report

LONG = 2000
COLUMNS = {
    "what": "request",
    "least": "least ms",
    "p50": "p50 ms",
    "p95": "p95 ms",
    "cpu": "CPU ms",
    "queries": "queries",
    "kilobytes": "kB",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, help="a PostgreSQL database that nobody minds; filled if empty")
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=20)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=1, help="repeat, and give the medians of the percentiles")
    chosen = parser.parse_args()
    limits = {f"THROTTLE_{kind}": "100000000/min" for kind in ("SEND", "UPLOAD", "SIGNIN", "OTHER")}
    os.environ |= {"DATABASE_URL": chosen.database, "DEBUG": "true", "LOG_LEVEL": "ERROR", **limits}
    os.environ["ALLOWED_HOSTS"] = "testserver"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studybuddy.settings")
    import django

    django.setup()
    from django.conf import settings

    settings.DEBUG = False
    settings.SECURE_SSL_REDIRECT = False
    prepare(chosen.sessions, chosen.messages)
    rounds = [[*measure(chosen.times), *measure_json(chosen.times, chosen.messages)] for _ in range(chosen.rounds)]
    rows = [report.medians(same) for same in zip(*rounds, strict=True)]
    print(report.table(f"API, {chosen.sessions:,} conversations of {chosen.messages}", COLUMNS, rows))
    report.save("api", {"sessions": chosen.sessions, "messages": chosen.messages, "rows": rows})


def prepare(sessions: int, messages: int) -> None:
    """Migrate, seed where there is nothing, and give two people their conversations."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from benchmarks.seed_conversations import Size, seed
    from chats.models import ChatSession
    from chats.services import turns

    call_command("migrate", interactive=False, verbosity=0)
    if User.objects.filter(username="bench-many").exists():
        return
    started = time.monotonic()
    # One person has a tenth of all conversations.
    seed(Size(sessions, messages, own={"bench-few": 10, "bench-many": sessions // 10}))
    long = ChatSession.objects.create(user=User.objects.get(username="bench-many"), title="long", external_id="long")
    texts = [{"role": "user" if n % 2 == 0 else "assistant", "content": f"text {n} zebra{n}"} for n in range(LONG)]
    turns.append(user=long.user, session_id=long.pk, messages=texts)
    print(f"seeded in {time.monotonic() - started:.0f} s")


def measure(times: int) -> list[dict[str, Any]]:
    from django.contrib.auth.models import User
    from django.test import Client

    from chats.models import ChatSession
    from core import tokens

    rows = []
    for name in ("bench-few", "bench-many"):
        user = User.objects.get(username=name)
        secret = tokens.create(user=user)[1]
        client = Client(headers={"authorization": f"Bearer {secret}", "accept": "application/json"})
        sessions = ChatSession.objects.filter(user=user, external_id=None)
        count = sessions.count()
        newest = str(sessions.latest("created_at").pk)
        for what, request in requests(client, newest, is_many=name == "bench-many").items():
            rows.append({"what": f"{what} ({count:,})", **timed(request, times)})
        rows += [{"what": f"{what} ({count:,})", **figures} for what, figures in deletions(client, newest, times)]
    return rows


def requests(client: Any, session: str, *, is_many: bool) -> dict[str, Callable[[], Any]]:
    """What is asked for, by name. A page 500 that has nothing on it is asked for all the same."""

    def get(path: str) -> Callable[[], Any]:
        return lambda: client.get(path)

    asked = {
        "list": get("/api/sessions?limit=20"),
        "list, page 500": get("/api/sessions?limit=20&page=500"),
        "messages": get(f"/api/sessions/{session}/messages?limit=50"),
        "search, in every text": get("/api/sessions?search=gradient+descent"),
        "search, in every text, page 500": get("/api/sessions?search=gradient+descent&page=500"),
        "search, a rare word": get("/api/sessions?search=rare1234"),
        "search, in none": get("/api/sessions?search=xyzzy"),
        "search, begun word": get("/api/sessions?search=rare12"),
        "append two": lambda: append(client, session),
    }
    if is_many:
        # Fifty messages a page: the long conversation has 2,000, so its last page is the fortieth.
        path = "/api/sessions/long/messages"
        first = client.get(f"{path}?limit=1000&before={client.get(f'{path}?limit=1000').json()[0]['id']}").json()
        asked["messages of the long one"] = get(f"{path}?limit=50")
        asked["messages of the long one, oldest page"] = get(f"{path}?limit=50&before={first[50]['id']}")
        asked["append two to the long one"] = lambda: append(client, "long")
    return asked


def deletions(client: Any, session: str, times: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Messages taken out of view, and conversations put away and removed for good, each made for it."""
    from chats.models import Message

    added = iter(Message.objects.filter(session=session).order_by("-id").values_list("pk", flat=True)[:times])
    yield "delete a message", timed(lambda: client.delete(f"/api/messages/{next(added)}"), times)
    for what, query in (("delete a session", ""), ("delete a session for good", "?permanent=true")):
        made = []
        for _ in range(times + 1):
            one = client.post("/api/sessions", {}, content_type="application/json").json()["session_id"]
            append(client, one)
            made.append(one)
        yield what, timed(lambda m=made, q=query: client.delete(f"/api/sessions/{m.pop()}{q}"), times)  # type: ignore[misc]
    for one in client.get("/api/sessions?state=deleted&limit=100").json()["sessions"]:
        client.delete(f"/api/sessions/{one['session_id']}?permanent=true")


def append(client: Any, session: str) -> Any:
    rows = [
        {"role": "user", "content": "why does it diverge"},
        {"role": "assistant", "content": "the step is too large"},
    ]
    return client.post(f"/api/sessions/{session}/messages", {"messages": rows}, content_type="application/json")


def timed(request: Callable[[], Any], times: int) -> dict[str, Any]:
    """Percentiles of `times` requests less two that warm up; the first counts the queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        request()
    count = len(queries)  # the next request empties the log
    response = request()
    if response is not None:
        assert response.status_code < 300, response.content
    took, worked = [], []
    for _ in range(times - 2):
        started, busy = time.perf_counter(), time.process_time()
        request()
        took.append((time.perf_counter() - started) * 1000)
        worked.append((time.process_time() - busy) * 1000)
    return {
        "least": min(took),
        "p50": report.percentile(took, 50),
        "p95": report.percentile(took, 95),
        "cpu": report.percentile(worked, 50),
        "queries": count,
        "kilobytes": len(response.content) / 1000 if response is not None else None,
    }


def measure_json(times: int, messages: int) -> list[dict[str, Any]]:
    """A table with each conversation as one JSON value, as some chats keep theirs: read all, or write all again."""
    from django.db import connection

    rows = []
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_json")
        cursor.execute("CREATE TABLE bench_json (id uuid PRIMARY KEY, chat jsonb)")
        for length in (messages, LONG):
            key = uuid.uuid4()
            chat = [{"id": str(uuid.uuid4()), "role": "user", "content": "why does it diverge " * 8}] * length
            insert = "INSERT INTO bench_json VALUES (%s, %s)"
            cursor.execute(insert, [key, json.dumps(chat)])

            def read(key: uuid.UUID = key) -> None:
                cursor.execute("SELECT chat FROM bench_json WHERE id = %s", [key])
                value = cursor.fetchone()[0]
                json.dumps((json.loads(value) if isinstance(value, str) else value)[-50:])

            def add(key: uuid.UUID = key) -> None:
                cursor.execute("SELECT chat FROM bench_json WHERE id = %s FOR UPDATE", [key])
                value = cursor.fetchone()[0]
                chat = json.loads(value) if isinstance(value, str) else value
                cursor.execute("UPDATE bench_json SET chat = %s WHERE id = %s", [json.dumps([*chat, *chat[:2]]), key])

            rows.append({"what": f"one JSON value of {length:,}: read (no HTTP)", **timed(read, times)})
            rows.append({"what": f"one JSON value of {length:,}: append (no HTTP)", **timed(add, times)})
        cursor.execute("DROP TABLE bench_json")
    return rows


if __name__ == "__main__":
    main()
