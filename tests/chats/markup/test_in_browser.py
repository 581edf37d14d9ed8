"""A browser's own parser makes nothing of hostile texts but what was meant."""

import os
import random
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from chats.markup import render
from tests.chats.markup.reading import FORMULA_TAG, NOT_FORMULAS, TEXT_TAGS
from tests.chats.markup.test_safety import HOSTILE, SOURCES
from tests.chromium import chromium, launched

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not chromium() and not os.environ.get("CI"), reason="Chromium is not installed"),
]
SHOW = """html => {
    document.body.innerHTML = html;
    return {
        html: document.body.innerHTML,
        tags: [...document.body.querySelectorAll("*")].map(element => [element.namespaceURI, element.localName]),
    };
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with launched() as browser:
        page = browser.new_page()
        page.set_content("<body></body>")
        yield page


def test_nothing_runs_loads_or_changes_its_shape(page: Page) -> None:
    happened: list[str] = []
    page.on("request", lambda request: happened.append(request.url))
    page.on("dialog", lambda dialog: (happened.append("dialog"), dialog.dismiss()))
    dice = random.Random(5)
    texts = [*HOSTILE, *("\n\n".join(dice.choices(HOSTILE, k=6)) for _ in range(150))]
    texts += ["".join(dice.choices(HOSTILE, k=6)) for _ in range(150)]
    for text in texts:
        html = "".join(render(text, sources=SOURCES))
        seen = page.evaluate(SHOW, html)
        assert seen["html"] == html, text
        for namespace, tag in seen["tags"]:
            formula = namespace.endswith("MathML") and FORMULA_TAG.fullmatch(tag) and tag not in NOT_FORMULAS
            assert formula or (namespace.endswith("xhtml") and tag in TEXT_TAGS), (text, tag)
    assert happened == []


def test_formulas_are_formulas(page: Page) -> None:
    page.evaluate(SHOW, "".join(render(r"$$\frac{a}{b}$$ and $\sqrt{x}$")))
    sizes = page.evaluate("[...document.querySelectorAll('mfrac')].map(part => part.getBoundingClientRect().height)")
    assert len(sizes) == 1
    assert sizes[0] > page.evaluate("document.querySelector('mfrac mi').getBoundingClientRect().height") * 1.5
