"""Fill a database with conversations: `python -m benchmarks.seed_conversations --sessions 100000 --messages 20`.

Goes to the database of DATABASE_URL, which must be migrated and one that nobody minds. The conversations are spread
over people, courses and a year, by a fixed seed: the same every time. Ids carry the time at which a row was made, as
real ones do. A tenth of the conversations are put away, one reply in fifty failed, one in twenty is rated. On
PostgreSQL rows are streamed by COPY and the search index is made at the end, all at once.
"""

import argparse
import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

BATCH = 2000
SAID = "why does gradient descent step down the loss curve when ridge and lasso weigh noise in train and test data"
WORDS = SAID.split()
TEXTS = 2000
RARE_WORDS = 20_000
ERRORS = ["model_timeout", "model_rate_limited", "model_dropped"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How much; `own` names people who get so many of the conversations, spread over the year, none put away."""

    sessions: int
    messages: int
    people: int = 2000
    courses: int = 40
    days: int = 365
    own: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Cast:
    """Who talks where about what: drawn from once, so that a row costs little."""

    chance: random.Random
    people: list[tuple[int, Any]]  # account and course
    own: dict[int, tuple[int, Any]]  # by the conversation's number
    questions: list[str]
    answers: list[str]


def seed(size: Size) -> None:
    """Add what `size` says to the database that Django is set up for."""
    from django.db import connection
    from django.utils import timezone

    cast = _cast(size)
    start = timezone.now() - timedelta(days=size.days)
    step = timedelta(days=size.days) / size.sessions
    store = _copy if connection.vendor == "postgresql" else _create
    with _search_index_later():
        for first in range(0, size.sessions, BATCH):
            numbers = range(first, min(first + BATCH, size.sessions))
            store(_tables([(number, start + step * number) for number in numbers], size, cast))


def _cast(size: Size) -> Cast:
    from django.contrib.auth.models import User

    from courses.models import Course, Enrollment

    chance = random.Random(20)
    mark = uuid.UUID(int=chance.getrandbits(128)).hex[:6]
    names = [f"seed-{mark}-{number}" for number in range(size.people)] + list(size.own)
    User.objects.bulk_create(
        (User(username=name, email=f"{name}@example.org", password="!") for name in names),
        batch_size=BATCH,
        ignore_conflicts=True,
    )
    Course.objects.bulk_create(
        (Course(code=f"SEED{number:03}", title=f"Seeded course {number}") for number in range(size.courses)),
        ignore_conflicts=True,
    )
    courses = list(Course.objects.filter(code__startswith="SEED").order_by("code").values_list("pk", flat=True))
    accounts = dict(User.objects.filter(username__in=names).values_list("username", "pk"))
    placed = {name: (accounts[name], courses[number % len(courses)]) for number, name in enumerate(names)}
    Enrollment.objects.bulk_create(
        (Enrollment(user_id=account, course_id=course) for account, course in placed.values()),
        batch_size=BATCH,
        ignore_conflicts=True,
    )
    own: dict[int, tuple[int, Any]] = {}
    for name, count in size.own.items():
        for place in range(count):
            number = place * size.sessions // count
            while number in own:
                number += 1
            own[number] = placed[name]
    return Cast(
        chance,
        [who for name, who in placed.items() if name not in size.own],
        own,
        *([" ".join(chance.choices(WORDS, k=length)) for _ in range(TEXTS)] for length in (12, 60)),
    )


def _tables(moments: Sequence[tuple[int, datetime]], size: Size, cast: Cast) -> dict[Any, list[Row]]:
    """The rows of these conversations by their model, those that are referred to first."""
    from chats.models import ChatSession, Citation, Feedback, Message

    chance = cast.chance
    sessions, messages = [], []
    for number, moment in moments:
        user, course = cast.own.get(number) or cast.people[chance.randrange(len(cast.people))]
        put_away = number not in cast.own and chance.random() < 0.1
        session = {
            "id": id_at(moment, chance),
            "user_id": user,
            "course_id": course,
            "title": " ".join(chance.choices(WORDS, k=5)),
            "deleted_at": moment + timedelta(days=1) if put_away else None,
            "created_at": moment,
            "updated_at": moment,
            "last_activity_at": moment + timedelta(minutes=size.messages),
        }
        made = list(_messages(session, size.messages, cast))
        session["head_id"] = made[-1]["id"] if made else None
        sessions.append(session)
        messages += made
    replies = [message for message in messages if message["role"] == "assistant"]
    return {
        ChatSession: sessions,
        Message: messages,
        Feedback: [
            {
                "message_id": reply["id"],
                "rating": chance.choice([1, 1, -1]),
                "created_at": reply["created_at"],
                "updated_at": reply["created_at"],
            }
            for reply in replies
            if chance.random() < 0.05
        ],
        Citation: [
            {"message_id": reply["id"], "marker": 1, "quote": "A passage.", "document_title": "Notes", "cited": True}
            for reply in replies
            if chance.random() < 0.3
        ],
    }


def _messages(session: Row, count: int, cast: Cast) -> Iterator[Row]:
    chance = cast.chance
    parent = None
    for number in range(count):
        moment = session["created_at"] + timedelta(minutes=number)
        is_question = number % 2 == 0
        text = chance.choice(cast.questions if is_question else cast.answers)
        message = {
            "id": id_at(moment, chance),
            "session_id": session["id"],
            "parent_id": parent,
            "ordinal": number + 1,
            "role": "user" if is_question else "assistant",
            "content": f"{text} rare{chance.randrange(RARE_WORDS)}",
            "created_at": moment,
            **({} if is_question else _answered(moment, chance)),
        }
        parent = message["id"]
        yield message


def _answered(moment: datetime, chance: random.Random) -> Row:
    first = moment + timedelta(seconds=chance.expovariate(2))
    failed = chance.random() < 0.02
    return {
        "model": "gpt-5-mini",
        "prompt_tokens": chance.randint(500, 4000),
        "completion_tokens": chance.randint(50, 600),
        "started_at": moment,
        "first_token_at": first,
        "finished_at": first + timedelta(seconds=chance.uniform(1, 8)),
        "state": "failed" if failed else "complete",
        "error_code": chance.choice(ERRORS) if failed else "",
    }


def _create(tables: dict[Any, list[Row]]) -> None:
    from django.db import transaction

    with transaction.atomic():  # heads are checked when it ends, and by then they are there
        for model, rows in tables.items():
            model.objects.bulk_create((model(**row) for row in rows), batch_size=500)


def _copy(tables: dict[Any, list[Row]]) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        for model, rows in tables.items():
            usual = _usual(model)
            columns = ", ".join(f'"{field.column}"' for field in usual)
            with cursor.copy(f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row([row.get(field.attname, value) for field, value in usual.items()])


def _usual(model: Any) -> dict[Any, Any]:
    """What a new row has in each column that nobody sets, as the database takes it."""
    from django.db import connection

    blank = model()
    columns = [field for field in model._meta.concrete_fields if field is not model._meta.auto_field]
    return {field: field.get_db_prep_save(getattr(blank, field.attname), connection) for field in columns}


@contextmanager
def _search_index_later() -> Iterator[None]:
    """Without the search's triggers and index meanwhile: made at once at the end, over all there is, they cost less."""
    from django.db import connection

    from chats.migrations import _search_sql

    if connection.vendor != "postgresql":
        yield
        return
    tables = ("chats_message", "chats_chatsession")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute("DROP INDEX IF EXISTS chats_searchentry_document")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET maintenance_work_mem = '512MB'")
            for statement in _search_sql.POSTGRES[-3:]:  # empty, titles, messages
                cursor.execute(statement)
            cursor.execute(next(one for one in _search_sql.POSTGRES if "USING gin" in one))
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            cursor.execute("VACUUM ANALYZE")


def id_at(moment: datetime, chance: random.Random) -> uuid.UUID:
    """A UUIDv7 of that moment."""
    from core.ids import first_uuid7

    return uuid.UUID(int=first_uuid7(moment).int | (chance.getrandbits(12) << 64) | chance.getrandbits(62))


def main() -> None:
    import os

    import django

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=4, help="in each conversation")
    parser.add_argument("--people", type=int, default=Size.people)
    chosen = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studybuddy.settings")
    os.environ.setdefault("DEBUG", "true")
    django.setup()
    from django.conf import settings

    settings.DEBUG = False  # or Django keeps every query in memory
    started = time.monotonic()
    seed(Size(chosen.sessions, chosen.messages, chosen.people))
    print(f"{chosen.sessions} conversations of {chosen.messages} messages in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
