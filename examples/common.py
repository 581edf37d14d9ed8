"""What the examples share: the site's settings and database, whose conversation it is, and the command line."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SESSION = "examples"


@dataclass(frozen=True)
class Model:
    """The model to ask, from the same variables that the site reads."""

    name: str
    base_url: str
    api_key: str


def prepare() -> tuple[Model, str]:
    """Make Django and its database ready. Returns the model to ask and the username to be."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studybuddy.settings")
    if not (ROOT / ".env").exists() and "SECRET_KEY" not in os.environ:
        os.environ.setdefault("DEBUG", "true")
    (ROOT / "var").mkdir(exist_ok=True)

    import django

    django.setup()

    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    if not settings.OPENAI_API_KEY and not settings.OPENAI_BASE_URL:
        raise SystemExit("Name a model to ask: OPENAI_API_KEY=sk-…, or OPENAI_BASE_URL=http://localhost:11434/v1")
    call_command("migrate", verbosity=0)
    accounts = get_user_model().objects
    username = "student"
    if not accounts.filter(username=username).exists():
        accounts.create_user(username)
        print("Made the account student. Give it a password: python manage.py changepassword student")
    url = settings.OPENAI_BASE_URL or "https://api.openai.com/v1"
    return Model(settings.CHAT_MODEL, url, settings.OPENAI_API_KEY or "none"), username


def questions() -> Iterator[str]:
    """The question on the command line, or one after the other until an empty one."""
    if len(sys.argv) > 1:
        yield " ".join(sys.argv[1:])
        return
    print("Ask the tutor. An empty line ends.")
    while True:
        try:
            question = input("You: ").strip()
        except EOFError:
            return
        if not question:
            return
        yield question
