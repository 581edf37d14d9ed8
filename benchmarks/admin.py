"""How long the admin's pages take with 100,000 conversations, and what clearing away half of them does to who chats.

    python -m benchmarks.admin                                    # SQLite in a scratch folder
    python -m benchmarks.admin --database postgres://…/a_database_of_its_own

Each page is asked for five times through the whole site (middleware, sign-in, templates); the figure is the median in
milliseconds. Then `cleanup_sessions` removes half of the conversations in a process of its own, whose greatest memory
is read, while this one commits a message every 20 ms as a student would, and times each. The aim is 300 ms a page.
Results go to `benchmarks/results/admin.json`.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TIMES = 5
PAGES = {
    "front page, 30 days": "/admin/",
    "front page, 90 days": "/admin/?days=90",
    "conversations": "/admin/chats/chatsession/",
    "conversations, page 50": "/admin/chats/chatsession/?p=50",
    "conversations of a course": "/admin/chats/chatsession/?course__id__exact={course}",
    "conversations with errors": "/admin/chats/chatsession/?errors=yes",
    "conversations rated down": "/admin/chats/chatsession/?rated=yes",
    "conversations put away": "/admin/chats/chatsession/?state=deleted",
    "conversations, search by person": "/admin/chats/chatsession/?q={person}",
    "conversations, search by words": "/admin/chats/chatsession/?q=gradient+descent",
    "conversations, nothing found": "/admin/chats/chatsession/?q=xyzzyxyzzy",
    "a transcript": "/admin/chats/chatsession/{session}/change/",
    "replies": "/admin/chats/message/",
    "failed replies": "/admin/chats/message/?state=failed",
    "replies of a person": "/admin/chats/message/?q={person}",
    "how a reply was made": "/admin/chats/message/{reply}/change/",
    "replies being made": "/admin/chats/message/running/",
    "people": "/admin/auth/user/",
    "courses": "/admin/courses/course/",
    "enrolments": "/admin/courses/enrollment/",
    "ratings": "/admin/chats/feedback/",
    "passages given": "/admin/chats/citation/",
    "a reply by its request id": "/admin/chats/message/?q=req-nowhere",
    "access log": "/admin/chats/accesslog/",
    "retention runs": "/admin/chats/retentionrun/",
    "material": "/admin/courses/document/",
}


def time_pages() -> dict[str, float]:
    """Median milliseconds of each page."""
    from django.contrib.auth.models import User
    from django.test import Client

    from chats.models import ChatSession, Message
    from courses.models import Course

    operator, _ = User.objects.get_or_create(
        username="bench-operator", defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client()
    client.force_login(operator)
    session = ChatSession.objects.order_by("-pk").first()
    names = {
        "course": Course.objects.order_by("code")[0].pk,
        "person": session.user.username,
        "session": session.pk,
        "reply": Message.objects.filter(role="assistant").order_by("-pk")[0].pk,
    }
    return {name: _time(client, path.format(**names)) for name, path in PAGES.items()}


def _time(client: Any, path: str) -> float:
    spent = []
    for _ in range(TIMES):
        started = time.perf_counter()
        answer = client.get(path)
        spent.append(1000 * (time.perf_counter() - started))
        assert answer.status_code == 200, (path, answer.status_code)
    return statistics.median(spent)


def clear_away() -> dict[str, float]:
    """Remove half of the conversations while a student writes."""
    from datetime import timedelta

    from django.contrib.auth.models import User
    from django.utils import timezone

    from chats.models import ChatSession
    from chats.services import sessions, turns

    half = ChatSession.objects.count() // 2
    oldest = ChatSession.objects.order_by("pk").values_list("pk", flat=True)
    edge = oldest[half]
    ChatSession.objects.filter(pk__lt=edge).update(deleted_at=timezone.now() - timedelta(days=99))
    student, _ = User.objects.get_or_create(username="bench-student")
    chat, _ = sessions.create(user=student)
    code = (
        "import resource, sys; from django.core.management import execute_from_command_line as run;"
        "run(['manage.py', 'cleanup_sessions', '--purge-days', '30']);"
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    waits = []
    while process.poll() is None:
        asked = time.perf_counter()
        turns.append(user=student, session_id=chat.pk, messages=[{"role": "user", "content": "Still here?"}])
        waits.append(1000 * (time.perf_counter() - asked))
        time.sleep(0.02)
    spent = time.monotonic() - started
    said = process.stdout.read() if process.stdout else ""
    found = re.search(r"(\d+) removed for good", said)
    peak = re.search(r"peak (\d+)", said)
    assert found is not None, said
    assert peak is not None, said
    ordered = sorted(waits)
    return {
        "removed": int(found[1]),
        "seconds": round(spent, 1),
        "peak MB": round(int(peak[1]) / 1024),
        "a student's message, p50 ms": round(statistics.median(waits), 1),
        "a student's message, p99 ms": round(ordered[int(0.99 * len(ordered))], 1),
        "a student's message, worst ms": round(ordered[-1], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default="")
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=4)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="studybuddy.settings",
            DEBUG="true",
            ENV_FILE=os.devnull,
            LOG_LEVEL="ERROR",
            ALLOWED_HOSTS="testserver",
            DATABASE_URL=chosen.database or f"sqlite:///{folder}/bench.sqlite3",
        )
        measure(chosen.sessions, chosen.messages)


def measure(sessions: int, messages: int) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.seed_conversations import Size, seed
    from chats.models import ChatSession
    from chats.services import figures

    settings.DEBUG = False  # or Django keeps every query in memory
    call_command("migrate", interactive=False, verbosity=0)
    missing = sessions - ChatSession.objects.count()
    if missing > 0:
        seed(Size(missing, messages))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    started = time.monotonic()
    days = figures.catch_up()
    results: dict[str, Any] = {
        "database": connection.vendor,
        "sessions": ChatSession.objects.count(),
        f"adding up {days} days, seconds": round(time.monotonic() - started, 1),
        "pages, ms": {name: round(spent, 1) for name, spent in time_pages().items()},
        "cleanup": clear_away(),
    }
    for name, spent in results["pages, ms"].items():
        print(f"{name:36} {spent:8.1f} ms{'  over 300' if spent > 300 else ''}")
    print(json.dumps({name: value for name, value in results.items() if name != "pages, ms"}, indent=1))
    target = ROOT / "benchmarks" / "results"
    target.mkdir(exist_ok=True)
    (target / f"admin-{connection.vendor}.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
