"""`make run` on a machine that lacks something: one line that says what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT
from tests.studybuddy.test_quickstart import without_roots_rights

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

WITHOUT_VENV = f"""#!{sys.executable}
import runpy, sys
sys.modules["venv"] = sys.modules["ensurepip"] = None
sys.argv = sys.argv[1:]
exec(sys.argv[1]) if sys.argv[0] == "-c" else runpy.run_module(sys.argv[1])
"""
TOO_OLD = """#!/bin/sh
exit 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout that nothing was installed in yet."""
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def said(folder: Path, python: str, *before: str) -> list[str]:
    """What `make run` says until it gives up, without make's own remark."""
    done = subprocess.run(
        [*before, "make", "run", f"PYTHON={python}"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert not (folder / ".venv" / ".installed").exists()
    return [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make: ***")]


@pytest.mark.parametrize(
    ("script", "advice"),
    [
        (WITHOUT_VENV, "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv"),
        (TOO_OLD, "StudyBuddy needs Python 3.11 or newer. Name it: make run PYTHON=python3.11"),
    ],
)
def test_a_python_that_will_not_do_gives_one_line(folder: Path, script: str, advice: str) -> None:
    python = folder / "a-python"
    python.write_text(script)
    python.chmod(0o755)
    assert said(folder, str(python)) == [advice]


def test_no_python_at_all_gives_one_line(folder: Path) -> None:
    assert said(folder, "no-such-python") == [
        "StudyBuddy needs Python 3.11 or newer. Name it: make run PYTHON=python3.11"
    ]


@pytest.mark.parametrize("locked", [".", ".venv"])
def test_a_folder_that_one_may_not_write_to_gives_one_line(folder: Path, locked: str) -> None:
    (folder / locked).mkdir(exist_ok=True)
    (folder / locked).chmod(0o555)
    try:
        (line,) = said(folder, sys.executable, *without_roots_rights())
    finally:
        (folder / locked).chmod(0o755)
    assert line.startswith("Can't make .venv here: check that you may write to this folder.")
    assert "Permission denied" in line
