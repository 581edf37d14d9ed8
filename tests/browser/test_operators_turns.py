"""What an operator does about replies and people, from sign-in to done."""

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.fixtures import ModelServer

from .conftest import ROOT, SignIn, Site, answered, ask

pytestmark = pytest.mark.browser
GATED = "gated:5#operators"
ModelSite = Callable[[str], Site]


def operator(site: Site, sign_in: SignIn, path: str = "") -> Page:
    page = sign_in(site, "admin")
    page.goto(f"{site.url}/admin/{path}")
    return page


def test_a_failed_reply_is_looked_into_and_tried_again(model_site: ModelSite, sign_in: SignIn) -> None:
    site = model_site("stream-error:2")
    student = sign_in(site)
    ask(student, "What is bias?")
    expect(student.locator(".turn[data-role=assistant][data-state=failed]")).to_be_visible()
    page = operator(site, sign_in, "chats/message/?state=failed")
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator(".errornote")).to_be_visible()
    expect(page.get_by_role("table", name="Timeline")).to_contain_text("failed: attempt 1")
    inspector = page.url
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("1 will be tried again.")).to_be_visible()
    expect(student.locator(".turn[data-role=assistant][data-state=failed]")).to_be_visible()

    def tried_again() -> bool:
        page.goto(inspector)
        return "failed: attempt 2" in page.get_by_role("table", name="Timeline").inner_text()

    wait_for(page, tried_again)


def test_a_running_reply_is_seen_and_stopped(model_site: ModelSite, sign_in: SignIn, model_server: ModelServer) -> None:
    site = model_site(GATED)
    student = sign_in(site)
    ask(student, "What is variance?")
    model_server.wait(GATED, "held")
    page = operator(site, sign_in, "chats/message/running/")
    row = page.get_by_role("table", name="Replies").get_by_role("row", name=re.compile("student"))
    expect(row).to_contain_text("streaming")
    expect(page.get_by_role("table", name="Processes that make replies").get_by_role("row")).to_have_count(2)
    row.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("It is being stopped.")).to_be_visible()
    expect(student.locator(".turn[data-role=assistant][data-state=stopped]")).to_be_visible()
    wait_for(page, lambda: page.goto(page.url) and "No reply is being made." in page.content())


def test_a_conversation_is_pinned_and_outlives_a_cleaning(site: Site, sign_in: SignIn) -> None:
    student = sign_in(site)
    chats = []
    for question in ("What is a loss curve?", "What is a decision tree?"):
        student.goto(f"{site.url}/chats")
        ask(student, question)
        student.wait_for_url("**/chats/*-*")
        answered(student)
        chats.append(student.url.rpartition("/")[2])
    page = operator(site, sign_in, f"chats/chatsession/{chats[0]}/change/")
    page.get_by_role("button", name="Pin: keep from retention").click()
    expect(page.get_by_text("1 conversation pinned.")).to_be_visible()
    command = [sys.executable, "manage.py", "cleanup_sessions", "--inactive-days", "0"]
    said = subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, text=True, check=True).stdout
    assert "put away" in said or "deleted" in said, said
    assert student.request.get(f"{site.url}/chats/{chats[0]}").status == 200
    assert student.request.get(f"{site.url}/chats/{chats[1]}").status == 404
    page.goto(f"{site.url}/admin/chats/retentionrun/")
    row = page.locator("#result_list tbody tr").first
    expect(row.locator(".field-soft_deleted")).not_to_have_text("0")
    row.locator("th a").click()
    expect(page.locator(".field-rules")).to_contain_text("inactive_days")


def test_a_list_is_enrolled_and_a_person_exported_and_removed(site: Site, sign_in: SignIn) -> None:
    page = operator(site, sign_in, "courses/enrollment/")
    page.get_by_role("link", name="Enrol a list (CSV)").click()
    page.get_by_label("Course").select_option(index=1)
    page.get_by_label("CSV file").set_input_files(
        files=[{"name": "list.csv", "mimeType": "text/csv", "buffer": b"other\nnobody-at-all\n"}]
    )
    page.get_by_role("button", name="Look at the list").click()
    expect(page.get_by_role("row", name=re.compile("nobody-at-all"))).to_contain_text("Left out")
    page.get_by_role("button", name="Enrol 1 person").click()
    expect(page.get_by_text("1 enrolled or changed")).to_be_visible()
    other = sign_in(site, "other")
    ask(other, "What is a kernel?")
    other.wait_for_url("**/chats/*-*")
    answered(other)  # or the page, signed out in the middle of it, would complain
    page.goto(f"{site.url}/admin/auth/user/?q=other")
    page.locator("#result_list tbody th a").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export everything").click()
    held = json.loads(download.value.path().read_text())
    assert held["account"]["username"] == "other"
    assert "What is a kernel?" in json.dumps(held["conversations"])
    page.get_by_role("link", name="Delete").click()
    expect(page.locator(".contents")).to_contain_text("1 conversations")
    page.get_by_role("button", name="Remove other").click()
    expect(page.get_by_text("Removed for good:")).to_be_visible()
    other.goto(f"{site.url}/chats")
    other.wait_for_url("**/accounts/login/**")


def wait_for(page: Page, condition: Callable[[], object]) -> None:
    """Until `condition()` holds, which looks at the page anew; fails after 15 seconds."""
    for _ in range(60):
        if condition():
            return
        page.wait_for_timeout(250)
    raise AssertionError(page.content()[-3000:])
