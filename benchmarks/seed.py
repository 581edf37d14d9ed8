"""People with a conversation each in a new database: `python -m benchmarks.seed COUNT` with the site's settings.

It migrates the database, reads the demo course's lectures into a course, enrols everybody in it, and prints a JSON list
of `{session, cookie}`.
"""

import json
import os
import sys
from typing import Any

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studybuddy.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    print(json.dumps(people(int(sys.argv[1]), make_course())))


def make_course() -> Any:
    from courses import demo
    from courses.models import Course

    demo.load()
    return Course.objects.earliest("created_at")


def people(count: int, course: Any) -> list[dict[str, str]]:
    """`count` students of the course, signed in, with an empty titled conversation each."""
    from django.contrib.auth.models import User

    from chats.models import ChatSession
    from courses.models import Enrollment

    users = User.objects.bulk_create(User(username=f"student{number}", password="!") for number in range(count))
    Enrollment.objects.bulk_create(Enrollment(course=course, user=user, role="student") for user in users)
    # Titled: titles are written after a reply by another request to the model, which is not what is measured.
    sessions = ChatSession.objects.bulk_create(ChatSession(user=user, course=course, title="Asked") for user in users)
    return [
        {"session": str(session.pk), "cookie": cookie_of(user)} for user, session in zip(users, sessions, strict=True)
    ]


def cookie_of(user: Any) -> str:
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return f"{settings.SESSION_COOKIE_NAME}={store.session_key}"


if __name__ == "__main__":
    main()
