"""From an empty folder and an empty database to a site that can start."""

import os
from collections.abc import Callable
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from core.database import release_connections
from courses import demo
from courses.models import Course


def prepare(*, with_demo: bool, say: Callable[[str], None]) -> None:
    """Make the folders, migrate, and load the demo course into a site without one. Raises CommandError, in one line."""
    make_folders()
    try:
        reach_database()
        call_command("migrate", interactive=False, verbosity=0)
    except DatabaseError as error:
        raise CommandError(f"Can't use the database of DATABASE_URL: {str(error).splitlines()[0]}") from None
    if with_demo and not Course.objects.exists():
        say("Loading the demo course …")
        demo.load()
    if not settings.DEBUG:
        collect_static_files()


def make_folders() -> None:
    """The folders that the site writes to. Raises CommandError for one that it can't."""
    folders = [(Path(settings.VAR_DIR), ""), (Path(settings.MEDIA_ROOT), " with MEDIA_ROOT")]
    if connection.vendor == "sqlite":
        folders.append((Path(str(settings.DATABASES["default"]["NAME"])).parent, " with DATABASE_URL"))
    for folder, setting in folders:
        what_to_do = f"Give your user the right to write there, or choose another folder{setting}."
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"Can't make the folder {folder}: {error.strerror}. {what_to_do}") from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CommandError(f"Can't write to the folder {folder}. {what_to_do}")


def reach_database() -> None:
    """Raise DatabaseError where the database can't be reached: at once, and with its own reason.

    A pool of connections would keep trying, and log each try.
    """
    if connection.vendor == "postgresql":
        with connection.wrap_database_errors:
            psycopg.connect(**connection.get_connection_params()).close()


def what_the_database_lacks() -> str:
    """One line for a database that is not ready for the site yet, which starts all the same; empty where it is."""
    try:
        reach_database()
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return f"Can't use the database of DATABASE_URL yet: {str(error).splitlines()[0]}"
    finally:
        release_connections()
    return f"The database lacks {len(waiting)} migrations: run manage.py migrate." if waiting else ""


def collect_static_files() -> None:
    """Gather the files that pages name by their hash without DEBUG. Raises CommandError where that can't be."""
    try:
        call_command("collectstatic", interactive=False, verbosity=0)
    except OSError as error:
        where = f"Can't write static files to {settings.STATIC_ROOT}: {error.strerror}."
        raise CommandError(f"{where} Choose another folder with STATIC_ROOT.") from None


def collect_static_files_once() -> None:
    """The same where nobody has done so: an image brings its own."""
    if not settings.DEBUG and not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        collect_static_files()


def how_to_sign_in() -> list[str]:
    """What to tell a newcomer, a line each."""
    lines = []
    if settings.DEBUG and demo.accounts_exist():
        lines += [
            "Sign in as student, other, instructor or admin; the password is studybuddy.",
            "(other is in no course; admin also sees /admin/.)",
        ]
    if not settings.OPENAI_API_KEY and not settings.OPENAI_BASE_URL:
        lines.append("No language model is configured: the built-in tutor quotes the course's material.")
    return lines
