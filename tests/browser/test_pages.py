"""Around the conversation: titles, deleting, the phone's drawer, keys, the theme, and life without script."""

import pytest
from playwright.sync_api import Page, expect

from .conftest import PHONE, SignIn, Site, answered, ask

pytestmark = pytest.mark.browser


def a_chat(page: Page) -> str:
    """Ask something in a new chat and wait for the answer; the address of the chat."""
    ask(page, "What is overfitting?")
    page.wait_for_url("**/chats/*-*")
    answered(page)
    return page.url


def test_a_title_is_changed_in_place(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    address = a_chat(page)
    page.get_by_label("More about this chat").click()
    page.get_by_role("link", name="Rename").click()
    page.get_by_label("Title").fill("Too close a fit")
    page.keyboard.press("Enter")
    expect(page.locator("header h1")).to_have_text("Too close a fit")
    expect(page.locator("#rail [aria-current=page]")).to_contain_text("Too close a fit")
    page.goto(address)
    expect(page).to_have_title("Too close a fit · StudyBuddy")


def test_a_deleted_chat_comes_back_by_undo(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    address = a_chat(page)
    page.get_by_label("More about this chat").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/chats?deleted=*")
    notice = page.get_by_role("status").filter(has_text="was deleted")
    expect(notice).to_be_visible()
    # It lies over the page and moves nothing, and is two steps from where one writes.
    assert page.locator(".toast").evaluate("toast => getComputedStyle(toast).position") == "fixed"
    undo = page.get_by_role("button", name="Undo")
    for _ in range(6):
        if undo.evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(undo).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(address)
    answered(page)


def test_a_chat_in_the_list_has_a_menu_that_keys_open(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    a_chat(page)
    page.goto(f"{site.url}/courses")
    entry = page.locator("#rail .entry[data-session]").first
    entry.get_by_role("link").first.focus()
    page.keyboard.press("Tab")
    expect(entry.get_by_role("link", name="More about")).to_be_focused()
    page.keyboard.press("Enter")
    menu = page.locator("#chat-menu")
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(entry.get_by_role("link", name="More about")).to_be_focused()
    page.keyboard.press("Enter")
    menu.get_by_label("Title").fill("Named from the list")
    page.keyboard.press("Enter")
    expect(page.locator("#rail .entry[data-session]").first).to_contain_text("Named from the list")
    assert page.url == f"{site.url}/courses"
    page.wait_for_load_state()  # until the script is there, the link leads to the menu's own page
    entry.get_by_role("link", name="More about").click()
    menu.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").filter(has_text="“Named from the list” was deleted.")).to_be_visible()


def test_the_phone_has_a_drawer_and_a_sheet_and_targets_that_a_thumb_can_hit(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site, viewport=PHONE, has_touch=True, is_mobile=True)
    page.get_by_label("Your question").fill("What is overfitting?")
    page.get_by_role("button", name="Send").tap()
    answered(page)
    rail = page.locator("#rail")
    expect(rail).to_be_hidden()
    page.get_by_role("button", name="Chats and courses").tap()
    expect(rail.get_by_role("link", name="New chat", exact=True)).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(rail).to_be_hidden()
    page.locator(".sources a").first.tap()
    sheet = page.get_by_role("dialog", name="Sources")
    expect(sheet).to_be_in_viewport()
    page.get_by_role("button", name="Close the sources").tap()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, summary, .sources a, .bar a:not(.crumb), textarea")]
            .filter((element) => element.checkVisibility())
            .map((element) => [element.outerHTML.slice(0, 90), element.getBoundingClientRect().height])
            .filter(([, height]) => height < 44)"""
    )
    assert small == []


def test_everything_can_be_reached_by_keys(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    composer = page.get_by_label("Your question")
    composer.fill("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    expect(composer).to_have_value("first line\nsecond line")
    page.keyboard.press("Control+k")
    expect(page.get_by_label("Search your chats").first).to_be_focused()
    page.locator("body").press("Escape")
    page.locator("main").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+n")
    page.wait_for_url("**/chats")


def test_the_theme_is_set_at_once_and_stays(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site, color_scheme="light")
    page.goto(f"{site.url}/account")
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.goto(f"{site.url}/courses")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == dark
    page.goto(f"{site.url}/account")
    page.get_by_text("As the device").click()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != dark


def test_search_leads_to_the_message(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    a_chat(page)
    page.get_by_label("Search your chats").first.fill("overfitt")
    page.keyboard.press("Enter")
    hit = page.locator(".hits a", has=page.locator("mark")).first
    expect(hit).to_be_visible()
    hit.click()
    expect(page.locator(".turn:target")).to_be_in_viewport()


def test_without_script_one_can_ask_read_stop_rename_and_delete(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site, java_script_enabled=False)
    page.get_by_label("Your question").fill("What is overfitting?")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/chats/*-*")
    expect(page.locator(".asked")).to_have_text("What is overfitting?")
    # The page asks again by itself until the answer is there.
    expect(page.locator(".turn[data-role=assistant][data-state=complete] a.citation").first).to_be_visible()
    page.get_by_label("More about this chat").click()
    page.get_by_role("link", name="Rename").click()
    page.get_by_label("Title").fill("Without script")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("header h1")).to_have_text("Without script")
    page.get_by_label("Your question").fill("And underfitting?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".turn[data-role=user]")).to_have_count(2)
    page.get_by_label("More about this chat").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("header h1")).to_have_text("Without script")
    page.locator("#rail").get_by_role("link", name="More about Without script").click()
    page.get_by_label("Title").fill("From the list")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("header h1")).to_have_text("From the list")
