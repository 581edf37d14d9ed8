"""Swagger UI, ReDoc and the browsable API in a real browser: no breach of the policy, no foreign request."""

import os
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser

from tests.chromium import chromium, launched
from tests.servers import Site, cookies

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def cookie(site: Site, student: User) -> str:
    """Made before the browser starts: beside its event loop Django refuses the database."""
    return cookies(student)


@pytest.fixture
def browser(cookie: str) -> Iterator[Browser]:
    if chromium() is None:
        assert not os.environ.get("CI"), "With CI set, Chromium has to be there."
        pytest.skip("no Chromium: the API's pages were not looked at")
    with launched() as browser:
        yield browser


@pytest.mark.parametrize(
    ("path", "selector"),
    [
        ("/api/docs", ".opblock-summary"),
        ("/api/redoc", "[data-section-id]"),
        ("/api/sessions", "form [name=session_name]"),
    ],
)
def test_the_page_shows_itself_under_the_sites_policy(
    site: Site, cookie: str, browser: Browser, path: str, selector: str
) -> None:
    context = browser.new_context()
    name, _, value = cookie.partition("=")
    context.add_cookies([{"name": name, "value": value.split(";")[0], "url": site.url}])
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}{path}")
    page.wait_for_selector(selector, timeout=30_000)
    context.close()
    assert not [text for text in said if "Content Security Policy" in text or "Refused" in text], said
    assert not [url for url in asked if not url.startswith((site.url, "data:", "blob:"))]
