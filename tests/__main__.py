"""`python -m tests`: every test, on PostgreSQL with Redis and then on SQLite, with what this machine has.

What is missing is named in one line each; with CI set that is a failure. Arguments are handed to pytest.
"""

import os
import shutil
import subprocess
import sys

import psycopg
import redis

from tests.chromium import chromium

POSTGRES = "postgres://postgres@127.0.0.1:5432/studybuddy"
REDIS = "redis://127.0.0.1:6379/15"


def main(arguments: list[str]) -> int:
    missing = []
    postgres = os.environ.get("TEST_DATABASE_URL") or POSTGRES
    if problem := postgres_problem(postgres):
        missing.append(f"Left out: the tests on PostgreSQL ({problem}). Set TEST_DATABASE_URL.")
        postgres = ""
    redis_url = os.environ.get("TEST_REDIS_URL") or REDIS
    if problem := redis_problem(redis_url):
        missing.append(f"Left out: the tests with Redis ({problem}). Set TEST_REDIS_URL.")
        redis_url = ""
    if chromium() is None:
        missing.append("Left out: the browser tests (no Chromium). On Debian: apt install chromium")
    if not shutil.which("node"):
        missing.append("Left out: the AI SDK tests (no Node.js).")
    for line in missing:
        print(line, flush=True)
    if missing and os.environ.get("CI"):
        print("With CI set everything has to be there.", flush=True)
        return 1
    codes = [run("SQLite", {}, [*arguments, "-m", "not once_with_postgres"] if postgres else arguments)]
    if postgres:
        environment = {"TEST_DATABASE_URL": postgres, "TEST_REDIS_URL": redis_url, "TEST_ONLY_DATABASE": "1"}
        codes.append(run("PostgreSQL, those that use a database", environment, arguments))
    return max(codes)


def run(name: str, environment: dict[str, str], arguments: list[str]) -> int:
    print(f"\n=== Tests on {name} ===", flush=True)
    cleared = {key: value for key, value in os.environ.items() if not key.startswith("TEST_")}
    parallel = ["-n", "auto", "--maxprocesses", "8", "--dist", "loadgroup"]
    command = [sys.executable, "-m", "pytest", *parallel, "-q", *arguments]
    return subprocess.run(command, env={**cleared, **environment}, check=False).returncode


def postgres_problem(url: str) -> str:
    try:
        psycopg.connect(url.rsplit("/", 1)[0] + "/postgres", connect_timeout=3).close()
    except psycopg.Error as error:
        return str(error).splitlines()[0]
    return ""


def redis_problem(url: str) -> str:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError as error:
        return str(error).splitlines()[0]
    return ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
