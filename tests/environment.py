"""The settings that tests run under, in place before Django reads any. Loaded by pytest's `-p` in pyproject.toml.

`TEST_DATABASE_URL` and `TEST_REDIS_URL` choose the database and the channel layer; without them SQLite in a file of
this run and the in-memory layer are used. A developer's own `.env` is never read.
"""

import os
import tempfile

SCRATCH = tempfile.mkdtemp(prefix="studybuddy-tests-")


def redis_url() -> str:
    """A Redis database for each process that runs tests: one empties its cache while another counts in it."""
    given = os.environ.get("TEST_REDIS_URL", "")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    server, _, number = given.rpartition("/")
    return f"{server}/{(int(number) - int(worker[2:])) % 16}" if number.isdigit() else given


os.environ.update(
    {
        "ENV_FILE": os.devnull,
        "DEBUG": "true",
        "SECRET_KEY": "only-for-tests-" + "0" * 50,
        "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", "") or f"sqlite:///{SCRATCH}/studybuddy.sqlite3",
        "REDIS_URL": redis_url(),
        "MEDIA_ROOT": f"{SCRATCH}/media",
        "LOG_LEVEL": "WARNING",
    }
)
for name in (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "CHAT_MODEL",
    "EMBEDDING_MODEL",
    "EMAIL_URL",
    "OIDC_PROVIDERS",
):
    os.environ.pop(name, None)
