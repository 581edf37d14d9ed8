"""Every page around an account in a real browser: in the site's own style, within its policy, on desktop and phone."""

import json

import pytest
from playwright.sync_api import expect

from tests.fakes.oidc import running_provider

from .conftest import DESKTOP, PHONE, MakeContext, MakeSite, SignIn, Site, answered, ask

pytestmark = pytest.mark.browser

VISITED = ["login/", "signup/", "logout/", "password/reset/", "password/reset/done/", "inactive/", "social/signup/"]
OWNED = ["email/", "password/change/", "2fa/", "2fa/totp/activate/", "logout/", "3rdparty/", "reauthenticate/"]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_an_account_are_the_sites_own(
    site: Site, make_context: MakeContext, sign_in: SignIn, viewport: dict[str, int], scheme: str
) -> None:
    options = {"viewport": viewport, "color_scheme": scheme}
    visitor = make_context(**options).new_page()
    student = sign_in(site, "other", **options)
    for page, names in ((visitor, VISITED), (student, OWNED)):
        for name in names:
            page.goto(f"{site.url}/accounts/{name}")
            expect(page.locator("h1").first).to_be_visible()
            assert page.locator("link[href*='studybuddy/site']").count() == 1, name
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], name


def test_the_universitys_button_leads_there_and_back(make_site: MakeSite, make_context: MakeContext) -> None:
    with running_provider() as provider:
        site = make_site(OIDC_PROVIDERS=json.dumps([provider.entry()]), SIGNUP_OPEN="false")
        page = make_context().new_page()
        page.goto(f"{site.url}/accounts/login/")
        page.get_by_role("button", name="The University").click()
        page.wait_for_url("**/chats")


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("What is gradient descent?", "Notes on lecture 2"),
        ("When does k-means fail?", "Notes on lecture 5"),
        ("What did lecture 3 say about regularisation?", "Notes on lecture 3"),
    ],
)
def test_the_demo_answers_from_the_right_lecture(site: Site, sign_in: SignIn, question: str, source: str) -> None:
    page = sign_in(site)
    ask(page, question)
    page.wait_for_url("**/chats/*-*")
    answered(page)
    expect(page.locator(".sources a").first).to_contain_text(source)
