"""Lost connections, killed servers, reloads: nothing that was written is lost, and nothing is sent twice."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.fakes.fixtures import ModelServer

from .conftest import MakeSite, SignIn, Site, answered, ask

pytestmark = pytest.mark.browser


def test_a_draft_outlives_a_reload_and_goes_once_it_is_sent(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    page.get_by_label("Your question").fill("What is a ker")
    page.reload()
    expect(page.get_by_label("Your question")).to_have_value("What is a ker")
    ask(page, "What is a kernel?")
    page.wait_for_url("**/chats/*-*")
    answered(page)
    page.get_by_label("Your question").fill("And a half-written")
    page.reload()
    expect(page.get_by_label("Your question")).to_have_value("And a half-written")
    page.goto(f"{site.url}/chats")
    expect(page.get_by_label("Your question")).to_have_value("")


def test_what_is_written_without_a_connection_is_sent_once_when_it_is_back(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    ask(page, "What is bias?")
    answered(page)
    page.context.set_offline(True)
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    ask(page, "And variance?")
    expect(page.get_by_text("It will be sent by itself")).to_be_visible()
    page.context.set_offline(False)
    answered(page, 2)
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    page.reload()
    expect(page.locator(".turn[data-role=user]")).to_have_count(2)


def test_after_a_kill_the_page_comes_back_by_itself_and_the_answer_is_whole(
    make_site: MakeSite, model_server: ModelServer, sign_in: SignIn
) -> None:
    model = "gated:5#kill"
    site = make_site(OPENAI_BASE_URL=model_server.base_url, OPENAI_API_KEY="sk-test", CHAT_MODEL=model)
    page = sign_in(site)
    ask(page, "What is bias?")
    page.wait_for_url("**/chats/*-*")
    model_server.wait(model, "held", 1)
    expect(page.locator("[data-blocks]")).not_to_be_empty()
    site.kill()
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    ask(page, "This waits in the composer.")
    site.start()
    model_server.wait(model, "requests", 2)
    model_server.wait(model, "held")
    model_server.release(model)
    answered(page)
    expect(page.get_by_label("Your question")).to_have_value("This waits in the composer.")
    assert len(page.locator("[data-blocks]").inner_text().split()) == 20


def test_a_question_goes_out_where_no_websocket_gets_through(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    page.context.route_web_socket("**/ws/**", lambda socket: socket.close(code=1011))
    ask(page, "What is bias?")
    page.wait_for_url("**/chats/*-*")
    answered(page)
    ask(page, "And variance?")
    answered(page, 2)


def test_signing_out_elsewhere_keeps_what_one_writes(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    ask(page, "What is bias?")
    answered(page)
    page.get_by_label("Your question").fill("Half a thou")
    page.context.clear_cookies()
    page.context.set_offline(True)
    page.context.set_offline(False)
    expect(page.locator("[data-note]")).to_contain_text("signed out")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your question")).to_have_value("Half a thou")


def test_one_reads_on_undisturbed_while_an_answer_grows(
    model_site: Callable[[str], Site], model_server: ModelServer, sign_in: SignIn
) -> None:
    model = "gated:300#scroll"
    page = sign_in(model_site(model), viewport={"width": 900, "height": 420})
    ask(page, "A long one, please.\n" * 12)
    page.wait_for_url("**/chats/*-*")
    model_server.release(model)
    answered(page)
    assert page.evaluate("document.getElementById('scroller').scrollTop") == 0, "it stays at the end"
    ask(page, "And another.")
    model_server.wait(model, "requests", 2)
    model_server.wait(model, "held")
    page.locator("#scroller").evaluate("element => element.scrollTop = -element.scrollHeight")
    first = page.locator(".turn").first
    expect(page.get_by_role("button", name="Latest")).to_be_visible()
    before = first.bounding_box()
    model_server.release(model)
    answered(page, 2)
    assert first.bounding_box() == pytest.approx(before, abs=0.5), "not by a pixel: scrolling rounds to them"
    page.get_by_role("button", name="Latest").click()
    expect(page.get_by_role("button", name="Latest")).to_be_hidden()
