"""People and a course that most tests need."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from courses.models import Course, Enrollment
from tests.fakes.fixtures import model_server
from tests.servers import fleet, gated_site, model_site, site
from tests.threads import event_loop

__all__ = ["fleet", "gated_site", "model_server", "model_site", "site"]

LONGEST_NAME = 60


def pytest_configure() -> None:
    from django.conf import settings

    # Strong password hashes take long on purpose; no test is about them.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With TEST_ONLY_DATABASE, leave out what would say the same as in the run on the other database.

    The AI SDK's client is tried there too, in its newest version.
    """
    if not os.environ.get("TEST_ONLY_DATABASE"):
        return
    kept = [item for item in items if uses_database(item) and "[ai6" not in item.name]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def pytest_make_parametrize_id(val: object) -> str | None:
    """A text of a thousand characters is named by its beginning: pytest would name it by all of it."""
    if isinstance(val, str | bytes) and len(val) > LONGEST_NAME:
        return f"{val[:LONGEST_NAME]!r} of {len(val)}"
    return None


def uses_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("once_with_postgres") is not None:
        return True
    return item.get_closest_marker("django_db") is not None or not fixtures.isdisjoint({"db", "transactional_db"})


def pytest_asyncio_loop_factories() -> dict[str, Any]:
    return {"releasing": event_loop}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database, without the table of the token model that ours stands in for.

    Its migrations make the table all the same; PostgreSQL then refuses to empty the accounts that it refers to, which
    is how tests that commit clean up after themselves.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS knox_authtoken")
    yield
    if connection.vendor == "postgresql":
        # A thread of a test may have left its connection to the interpreter; the database is dropped all the same.
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def student(db: Any) -> User:
    return User.objects.create_user("student", "student@example.org", "pass-word-1")


@pytest.fixture
def teammate(db: Any) -> User:
    """Another student of the same course."""
    return User.objects.create_user("teammate", "teammate@example.org", "pass-word-1")


@pytest.fixture
def outsider(db: Any) -> User:
    """Somebody with an account who is in no course."""
    return User.objects.create_user("outsider", "outsider@example.org", "pass-word-1")


@pytest.fixture
def instructor(db: Any) -> User:
    return User.objects.create_user("instructor", "instructor@example.org", "pass-word-1")


@pytest.fixture
def operator(db: Any) -> User:
    return User.objects.create_superuser("operator", "operator@example.org", "pass-word-1")


@pytest.fixture
def course(student: User, teammate: User, instructor: User) -> Course:
    made = Course.objects.create(code="ML101", title="Introduction to Machine Learning")
    for user, role in ((student, "student"), (teammate, "student"), (instructor, "instructor")):
        Enrollment.objects.create(course=made, user=user, role=role)
    return made
