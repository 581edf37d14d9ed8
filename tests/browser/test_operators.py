"""An operator's and an instructor's jobs, from sign-in to done. A refused style or script fails any of them."""

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import DESKTOP, PHONE, SignIn, Site, answered, ask

pytestmark = pytest.mark.browser


def a_chat(page: Page, question: str) -> str:
    """Ask in a new chat and wait for the answer; the id of the chat."""
    ask(page, question)
    page.wait_for_url("**/chats/*-*")
    answered(page)
    return page.url.rpartition("/")[2]


def operator(site: Site, sign_in: SignIn, **options: object) -> Page:
    page = sign_in(site, "admin", **options)
    page.goto(f"{site.url}/admin/")
    return page


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dashboard_is_drawn(site: Site, sign_in: SignIn, viewport: dict[str, int], scheme: str) -> None:
    a_chat(sign_in(site), "What is gradient descent?")
    page = operator(site, sign_in, viewport=viewport, color_scheme=scheme)
    expect(page.locator(".figure .chart")).to_have_count(8)
    bar = page.locator(".chart .bar").last
    drawn, behind = page.evaluate(
        "bar => [getComputedStyle(bar).fill, getComputedStyle(document.body).backgroundColor]", bar.element_handle()
    )
    assert drawn not in ("none", "rgb(0, 0, 0)", behind), "bars have a colour that shows"
    page.locator(".figure summary").first.click()
    expect(page.locator(".figure table").first).to_be_visible()
    page.get_by_role("link", name="90 days").click()
    page.wait_for_url("**/admin/?days=90")  # and for its styles
    expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "page")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_conversation_is_found_read_put_away_restored_and_removed(site: Site, sign_in: SignIn) -> None:
    student = sign_in(site)
    chat = a_chat(student, "When does k-means fail?")
    page = operator(site, sign_in)
    page.goto(f"{site.url}/admin/chats/chatsession/")
    page.locator("#searchbar").fill(chat)
    page.keyboard.press("Enter")
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator(".line.user")).to_contain_text("When does k-means fail?")
    expect(page.get_by_text("is written down in the access log")).to_be_visible()
    page.get_by_role("button", name="Delete (can be restored)").click()
    expect(page.get_by_text("1 conversation deleted.")).to_be_visible()
    assert student.request.get(f"{site.url}/chats/{chat}").status == 404
    page.goto(f"{site.url}/admin/chats/chatsession/{chat}/change/")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("1 conversation restored.")).to_be_visible()
    assert student.request.get(f"{site.url}/chats/{chat}").status == 200
    page.goto(f"{site.url}/admin/chats/chatsession/{chat}/change/")
    page.get_by_role("button", name="Delete permanently…").click()
    expect(page.locator(".contents")).to_contain_text("2 messages")
    page.get_by_role("button", name="Delete permanently").click()
    expect(page.get_by_text("Removed for good:")).to_be_visible()
    page.goto(f"{site.url}/admin/chats/accesslog/?q={chat}")
    expect(page.locator("#result_list tbody tr")).to_have_count(4)  # viewed three times, erased once


def test_a_transcript_is_exported(site: Site, sign_in: SignIn) -> None:
    chat = a_chat(sign_in(site), "What is overfitting?")
    page = operator(site, sign_in)
    page.goto(f"{site.url}/admin/chats/chatsession/{chat}/change/")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON").click()
    assert download.value.suggested_filename == "conversations.jsonl"
    assert "What is overfitting?" in download.value.path().read_text()


def test_how_a_reply_was_made_is_told(site: Site, sign_in: SignIn) -> None:
    chat = a_chat(sign_in(site), "What is regularisation?")
    page = operator(site, sign_in)
    page.goto(f"{site.url}/admin/chats/chatsession/{chat}/change/")
    page.get_by_role("link", name="How this reply was made").click()
    expect(page.get_by_role("table", name="Timeline")).to_contain_text("first token")
    expect(page.get_by_role("table", name="Passages")).to_contain_text("[1]")
    page.get_by_text("Prompt as it was sent").click()
    expect(page.locator(".prompt")).to_contain_text("What is regularisation?")


def test_somebody_is_enrolled_in_the_admin_with_autocomplete(site: Site, sign_in: SignIn) -> None:
    page = operator(site, sign_in)
    page.goto(f"{site.url}/admin/courses/enrollment/add/")
    for field, text in (("user", "other"), ("course", "machine")):
        page.locator(f".field-{field} .select2-selection").click()
        page.locator(".select2-search__field").fill(text)
        page.locator(".select2-results__option--highlighted", has_text=re.compile(text, re.IGNORECASE)).click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.locator("#result_list tbody th a", has_text="other").first.click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Yes, I’m sure").click()
    expect(page.get_by_text("was deleted successfully")).to_be_visible()


def test_every_page_of_the_admin_keeps_to_the_policy(site: Site, sign_in: SignIn) -> None:
    page = operator(site, sign_in)
    links = page.locator("#content-main th a").evaluate_all("links => links.map(link => link.href)")
    assert len(links) > 15
    for link in sorted(set(links)):
        page.goto(link)
        expect(page.locator("#content h1, #site-name").first).to_be_visible()
    page.goto(f"{site.url}/admin/courses/course/add/")
    page.get_by_text("Add another Lecture").click()
    expect(page.locator("#id_lectures-0-title")).to_be_visible()
    page.goto(f"{site.url}/admin/chats/message/running/")
    expect(page.get_by_text("No reply is being made.")).to_be_visible()


def test_an_instructor_lets_people_in_by_list_and_by_link(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site, "instructor")
    page.goto(f"{site.url}/courses")
    page.get_by_role("link", name=re.compile("Introduction to Machine Learning")).first.click()
    page.get_by_role("link", name="People").click()
    page.get_by_label("CSV file").set_input_files(
        files=[{"name": "list.csv", "mimeType": "text/csv", "buffer": b"username\nother\nnobody-at-all\n"}]
    )
    page.get_by_role("button", name="Look at the list").click()
    expect(page.get_by_role("row", name=re.compile("nobody-at-all"))).to_contain_text("Left out")
    page.get_by_role("button", name="Enrol 1 person").click()
    expect(page.get_by_text("1 enrolled or changed, 1 left out.")).to_be_visible()
    other = sign_in(site, "other")
    page.get_by_role("row", name=re.compile(r"^other")).get_by_role("button", name="Remove").click()
    expect(page.get_by_text("other is no longer in the course.")).to_be_visible()
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("code", has_text="/courses/join/").inner_text()
    other.goto(link)
    other.get_by_role("button", name="Join the course").click()
    expect(other.get_by_text("Welcome to Introduction to Machine Learning.")).to_be_visible()
    page.reload()
    page.get_by_role("row", name=re.compile(r"^other")).get_by_role("button", name="Remove").click()
    expect(page.get_by_text("other is no longer in the course.")).to_be_visible()
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("The code no longer works.")).to_be_visible()


def test_insight_comes_with_the_courses_page(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site, "instructor")
    page.goto(f"{site.url}/courses")
    page.get_by_role("link", name=re.compile("Introduction to Machine Learning")).first.click()
    expect(page.get_by_role("heading", name="What the course asks")).to_be_visible()
    expect(page.get_by_text("Fewer than 5 students have asked")).to_be_visible()
    page.get_by_role("link", name="90 days").click()
    expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
