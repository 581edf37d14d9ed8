"""An instructor's material in a real browser: taken in, read while one watches, read again, removed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import ROOT, SignIn, Site

pytestmark = pytest.mark.browser


@contextmanager
def worker(site: Site) -> Iterator[None]:
    """The background worker beside the site."""
    command = [sys.executable, "manage.py", "db_worker", "--interval", "0.2", "--no-startup-delay"]
    with (site.folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=site.environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_material_is_taken_in_read_again_and_removed(site: Site, sign_in: SignIn, tmp_path: Path) -> None:
    page = sign_in(site, "instructor")
    notes, torn = tmp_path / "Tidal_notes.md", tmp_path / "torn.pdf"
    notes.write_text("# Tides\n\n## Moon\n\nThe dugong tide is high twice a day.\n")
    torn.write_bytes(b"%PDF-1.7\n" + os.urandom(500))
    page.goto(f"{site.url}/courses")
    page.locator("main").get_by_role("link", name="Machine Learning").first.click()
    page.locator("input[type=file]").set_input_files([notes, torn])
    page.get_by_role("button", name="Upload").click()
    row = page.locator("#material li").filter(has_text="Tidal notes")
    failed = page.locator("#material li").filter(has_text="torn")
    expect(row).to_contain_text("Waiting to be read")
    with worker(site):
        # Without a reload: the list asks for itself again.
        expect(failed).to_contain_text("Could not be read", timeout=60_000)
        expect(failed.get_by_text("damaged")).to_be_visible()
        expect(row.get_by_role("link", name="Tidal notes")).to_be_visible(timeout=60_000)
        expect(row).not_to_contain_text("Waiting")
        row.get_by_role("button", name="Read Tidal notes again").click()
        expect(row.get_by_role("link", name="Tidal notes")).to_be_visible(timeout=60_000)
    row.get_by_role("link", name="Tidal notes").click()
    expect(page.get_by_text("The dugong tide is high twice a day.")).to_be_visible()
    page.go_back()
    for name in ("Tidal notes", "torn"):
        page.get_by_role("button", name=f"Remove {name}").click()
        expect(page.get_by_role("status").filter(has_text=f"{name} was removed")).to_be_visible()
        expect(page.locator("#material li").filter(has_text=name)).to_have_count(0)
