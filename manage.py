#!/usr/bin/env python
"""Django's command line for StudyBuddy."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studybuddy.settings")
    if isinstance(sys.stdout, TextIOWrapper):
        # What a command that runs on says must be seen at once, in a pipe or a service's log too.
        sys.stdout.reconfigure(line_buffering=True)
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed in this Python. Run `make install`, then use .venv/bin/python manage.py.")
    if sys.argv[1:2] in (["quickstart"], ["run_scaled"]):
        use_debug_unless_told()
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Settings: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def use_debug_unless_told() -> None:
    """These are for a first look: they turn DEBUG on where neither the environment nor `.env` says anything."""
    import environ

    environ.Env.read_env(os.environ.get("ENV_FILE", str(Path(__file__).resolve().parent / ".env")))
    if not os.environ.get("DEBUG", "").strip():
        os.environ["DEBUG"] = "true"


if __name__ == "__main__":
    main()
