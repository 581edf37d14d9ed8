"""The fault harness itself, with a few faults: what `make bench` does with two hundred."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import services

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "setup",
    [
        "sqlite",
        pytest.param(
            "postgres", marks=pytest.mark.skipif(bool(services.missing()), reason=services.missing() or "all there")
        ),
    ],
)
def test_twenty_faults_lose_nothing(tmp_path: Path, setup: str) -> None:
    if setup == "sqlite" and os.environ.get("TEST_DATABASE_URL"):
        pytest.skip("runs with the tests on SQLite")
    if setup == "postgres" and not os.environ.get("TEST_DATABASE_URL"):
        pytest.skip("runs with the tests on PostgreSQL")
    output = tmp_path / "faults.json"
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "benchmarks.faults", "--faults", "20", "--students", "8", "--lease", "2"),
            *("--setup", setup, "--output", str(output)),
            # Two processes need not run on the same server.
            *("--servers", "daphne", "uvicorn"),
        ],
        cwd=ROOT,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(output.read_text())
    assert sum(result["faults"].values()) == 20
    assert result["questions_acknowledged"] >= 8
