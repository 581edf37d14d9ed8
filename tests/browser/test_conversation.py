"""A conversation as one sees it: asked, streamed, cited, reloaded, shared between tabs, stopped, and edited."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.fixtures import ModelServer

from .conftest import SignIn, Site, answered, ask

pytestmark = pytest.mark.browser


def transcript(page: Page) -> str:
    return page.locator("#transcript").inner_text()


def test_an_answer_streams_in_cites_its_sources_and_is_the_same_after_a_reload(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    ask(page, "What is gradient descent?")
    page.wait_for_url("**/chats/*-*")
    answered(page)
    expect(page.locator(".turn[data-role=assistant] a.citation").first).to_be_visible()
    expect(page.locator(".sources li").first).to_be_visible()
    expect(page.locator("header h1")).not_to_have_text("New chat")
    ask(page, "And when does it diverge?")
    answered(page, 2)
    before = transcript(page)
    page.reload()
    answered(page, 2)
    assert transcript(page) == before


def test_a_citation_opens_its_passage_beside_the_conversation(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    ask(page, "What is gradient descent?")
    answered(page)
    page.locator("a.citation").first.click()
    panel = page.get_by_role("dialog", name="Sources")
    expect(panel.locator(".passage.current blockquote")).not_to_be_empty()
    expect(panel.get_by_role("link", name="Open the document").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.locator("a.citation").first).to_be_focused()


def test_markdown_formulas_and_code_are_shown_as_such(model_site: Callable[[str], Site], sign_in: SignIn) -> None:
    page = sign_in(model_site("markdown"))
    ask(page, "Show me everything.")
    answered(page)
    reply = page.locator(".turn[data-role=assistant]")
    expect(reply.locator("math").first).to_be_visible()
    expect(reply.locator("table td").first).to_be_visible()
    reply.get_by_role("button", name="Copy the code").first.click()
    expect(reply.get_by_role("button", name="Copy the code").first).to_have_text("Copied")
    expect(
        page.locator("#transcript").locator("[href^='javascript:'], script, iframe, form[action^=http]")
    ).to_have_count(0)


def test_what_a_hostile_model_writes_does_nothing(model_site: Callable[[str], Site], sign_in: SignIn) -> None:
    site = model_site("hostile")
    page = sign_in(site)
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    ask(page, "Be bad.")
    answered(page)
    page.reload()
    answered(page)
    reply = page.locator(".turn[data-role=assistant] .prose")
    expect(reply).to_contain_text("Before.")
    expect(reply).to_contain_text("After.")
    harmful = "script, img, form, input, iframe, svg:not(.icon), base, style, meta, [onclick], [onerror]"
    expect(reply.locator(harmful)).to_have_count(0)
    protocols = reply.locator("a").evaluate_all("links => links.map((link) => link.protocol)")
    assert set(protocols) <= {"http:", "https:"}
    assert "taken" not in page.title()
    assert [url for url in asked_for if not url.startswith((site.url, site.url.replace("http", "ws")))] == []


def test_two_tabs_show_the_same(model_site: Callable[[str], Site], model_server: ModelServer, sign_in: SignIn) -> None:
    page = sign_in(model_site("gated:5#tabs"))
    ask(page, "What is bias?")
    page.wait_for_url("**/chats/*-*")
    expect(page.locator("[data-blocks]")).not_to_be_empty()
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("[data-blocks]")).not_to_be_empty()
    model_server.release("gated:5#tabs")
    for tab in (page, other):
        answered(tab)
    assert transcript(page) == transcript(other)
    ask(other, "And variance?")
    expect(page.locator(".turn[data-role=user]").nth(1)).to_contain_text("And variance?")
    model_server.wait("gated:5#tabs", "requests", 2)
    model_server.wait("gated:5#tabs", "held")
    model_server.release("gated:5#tabs")
    for tab in (page, other):
        answered(tab, 2)
    assert transcript(page) == transcript(other)


def test_a_reply_is_stopped_by_its_button_and_what_came_is_kept(
    model_site: Callable[[str], Site], model_server: ModelServer, sign_in: SignIn
) -> None:
    page = sign_in(model_site("gated:5#stop"))
    ask(page, "What is bias?")
    expect(page.locator("[data-blocks]")).not_to_be_empty()
    shown = page.locator("[data-blocks]").inner_text()
    page.get_by_role("button", name="Stop the answer").click()
    expect(page.get_by_text("You stopped this answer.")).to_be_visible()
    assert page.locator("[data-blocks]").inner_text() == shown
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_a_second_question_during_a_reply_stays_in_the_composer(
    model_site: Callable[[str], Site], model_server: ModelServer, sign_in: SignIn
) -> None:
    page = sign_in(model_site("gated:5#busy"))
    ask(page, "What is bias?")
    page.wait_for_url("**/chats/*-*")
    expect(page.locator("[data-blocks]")).not_to_be_empty()
    ask(page, "And variance?")
    expect(page.get_by_label("Your question")).to_have_value("And variance?")
    expect(page.locator("[data-note]")).to_contain_text("still answering")
    model_server.release("gated:5#busy")
    answered(page)


def test_versions_of_a_question_and_of_an_answer_are_kept_beside_each_other(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    ask(page, "What is regularisation?")
    answered(page)
    page.locator(".turn[data-role=user]").hover()
    page.get_by_role("link", name="Edit this question").click()
    page.locator(".editing textarea").fill("What is clustering?")
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".turn[data-role=user] .asked")).to_have_text("What is clustering?")
    answered(page)
    expect(page.locator(".turn[data-role=user] .count")).to_have_text("2/2")
    page.get_by_role("button", name="Answer again").click()
    expect(page.locator(".turn[data-role=assistant] .count")).to_have_text("2/2")
    answered(page)
    page.locator(".turn[data-role=user]").hover()
    page.locator(".turn[data-role=user]").get_by_role("button", name="Previous version").click()
    expect(page.locator(".turn[data-role=user] .asked")).to_have_text("What is regularisation?")


def test_what_the_model_s_provider_refuses_is_said_with_another_try(
    model_site: Callable[[str], Site], sign_in: SignIn
) -> None:
    page = sign_in(model_site("wrong-key"))
    ask(page, "Hello?")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_reply_is_announced_once_when_it_begins_and_once_when_it_is_there(
    model_site: Callable[[str], Site], model_server: ModelServer, sign_in: SignIn
) -> None:
    page = sign_in(model_site("gated:5#voice"))
    ask(page, "What is bias?")
    page.wait_for_url("**/chats/*-*")
    model_server.wait("gated:5#voice", "held", 1)
    model_server.release("gated:5#voice")
    answered(page)
    page.evaluate(
        """() => {
            window.said = [];
            const announcer = document.getElementById("announcer");
            new MutationObserver(() => said.push(announcer.textContent)).observe(announcer, { childList: true });
        }"""
    )
    ask(page, "And variance?")
    model_server.wait("gated:5#voice", "requests", 2)
    model_server.wait("gated:5#voice", "held")
    model_server.release("gated:5#voice")
    answered(page, 2)
    expect(page.locator("#announcer")).to_contain_text("The tutor has answered.")
    said = page.evaluate("said")
    assert len(said) == 2
    assert said[0] == "The tutor is answering."
    assert page.locator("#transcript").get_attribute("role") == "log"
    assert page.locator("#transcript").get_attribute("aria-live") == "off"
