"""`python -m tests`: every test on SQLite, then those that use a database on PostgreSQL with Redis, with what is here.

What is missing is named in one line each; with CI set that is a failure. Arguments are handed to pytest. What failed is
named once more at the end, where a log that is cut still has it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

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
    runs = [run("SQLite", {}, [*arguments, "-m", "not once_with_postgres"] if postgres else arguments)]
    if postgres:
        environment = {"TEST_DATABASE_URL": postgres, "TEST_REDIS_URL": redis_url, "TEST_ONLY_DATABASE": "1"}
        runs.append(run("PostgreSQL, those that use a database", environment, arguments))
    for _, failed in runs:
        for line in failed:
            print(line, flush=True)
    return max(code for code, _ in runs)


def run(name: str, environment: dict[str, str], arguments: list[str]) -> tuple[int, list[str]]:
    """Run pytest; its exit code, and a line for each test that failed."""
    print(f"\n=== Tests on {name} ===", flush=True)
    cleared = {key: value for key, value in os.environ.items() if not key.startswith("TEST_")}
    # One more than cores: tests wait for servers and browsers a third of their time.
    parallel = ["-n", str(min(8, (os.cpu_count() or 1) + 1)), "--dist", "loadgroup"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", *parallel, "-q", f"--junitxml={report}", *arguments]
        code = subprocess.run(command, env={**cleared, **environment}, check=False).returncode
        return code, failures(name, report) if code else []


def failures(name: str, report: Path) -> list[str]:
    """Each failed test of pytest's JUnit report in a line, with why."""
    if not report.exists():
        return [f"{name}: the tests broke off."]
    return [
        f"Failed on {name}: {case.get('classname')}::{case.get('name')}: {(problem.get('message') or '')[:300]!r}"
        for case in ET.parse(report).iter("testcase")
        for problem in (*case.iter("failure"), *case.iter("error"))
    ]


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
