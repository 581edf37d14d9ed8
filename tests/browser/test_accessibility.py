"""What keys, screen readers and weak eyes need: names, landmarks, contrast, and a way through without a mouse."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import PHONE, SignIn, Site, answered, ask

pytestmark = pytest.mark.browser

# What the page gets wrong, each as words. Contrast is that of WCAG 2.2 AA: 4.5, and 3 for large text.
FAULTS = """() => {
    const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const told = (element) => element.outerHTML.replace(/\\s+/g, " ").slice(0, 110);
    const faults = [];
    const name = (element) => element.ariaLabel || element.title || element.innerText?.trim() || element.alt
        || document.getElementById(element.getAttribute("aria-labelledby"))
        || element.textContent?.trim();
    const fields = "input:not([type=hidden]), textarea, select";
    for (const element of document.querySelectorAll(fields)) {
        if (shown(element) && !element.labels.length && !element.ariaLabel) faults.push("no name: " + told(element));
    }
    for (const element of document.querySelectorAll("a[href], button, summary, img, nav, dialog[open], [role=log]")) {
        if (shown(element) && !name(element)) faults.push("no name: " + told(element));
    }
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) faults.push("twice the id " + id);
    for (const attribute of ["aria-labelledby", "aria-describedby", "for", "aria-controls"]) {
        for (const element of document.querySelectorAll(`[${attribute}]`)) {
            if (element.closest("dialog:not([open])")) continue;
            if (shown(element) && !document.getElementById(element.getAttribute(attribute))) {
                faults.push(`${attribute} of nothing: ` + told(element));
            }
        }
    }
    if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
    if (document.querySelectorAll("h1").length > 1) faults.push("more than one h1");
    if (!document.documentElement.lang) faults.push("no language");
    if (document.documentElement.scrollWidth > innerWidth) faults.push("wider than the screen");

    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    };
    const over = ([r, g, b, a], under) => [r, g, b].map((part, at) => part * a + under[at] * (1 - a)).concat(1);
    const behind = (element) => {
        const layers = [];
        for (let each = element; each; each = each.parentElement) {
            const colour = rgba(getComputedStyle(each).backgroundColor);
            if (colour[3]) layers.push(colour);
            if (colour[3] === 1) break;
        }
        return layers.reverse().reduce((under, layer) => over(layer, under), rgba("Canvas"));
    };
    const light = (colour) => colour.slice(0, 3).map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const seen = new Set();
    while (words.nextNode()) {
        const element = words.currentNode.parentElement;
        if (!words.currentNode.data.trim() || seen.has(element) || !shown(element)) continue;
        if (element.closest(".sr, .skip, :disabled, [hidden], option")) continue;
        seen.add(element);
        const style = getComputedStyle(element);
        const back = behind(element);
        const [one, two] = [light(over(rgba(style.color), back)), light(back)].sort((a, b) => b - a);
        const size = parseFloat(style.fontSize);
        const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
        const contrast = (one + 0.05) / (two + 0.05);
        if (contrast < least - 0.01) faults.push(`contrast ${contrast.toFixed(2)}: ` + told(element));
    }
    return faults;
}"""
# Where one writes, the ring is that of the box around it.
RING = """() => {
    const at = document.activeElement;
    const box = at.closest(".box");
    if (box) return getComputedStyle(box).boxShadow.includes("0px 0px 0px 1px");
    return getComputedStyle(at).outlineStyle !== "none";
}"""
PATHS = ("/chats", "/courses", "/account", "/chats/archive", "/accounts/email/", "/accounts/2fa/", "/chats?q=gradient")


@pytest.mark.parametrize("options", [{"color_scheme": "light"}, {"color_scheme": "dark", "viewport": PHONE}])
def test_pages_have_no_faults(
    model_site: Callable[[str], Site], sign_in: SignIn, make_context: Any, options: dict[str, Any]
) -> None:
    site = model_site("markdown")
    visitor = make_context(**options).new_page()
    visitor.goto(f"{site.url}/accounts/login/")
    found = {"sign-in": visitor.evaluate(FAULTS)}
    page = sign_in(site, **options)
    ask(page, "Show me everything about gradient descent.")
    answered(page)
    chat = page.url
    found["chat"] = page.evaluate(FAULTS)
    for path in PATHS:
        page.goto(f"{site.url}{path}")
        found[path] = page.evaluate(FAULTS)
    page.goto(f"{site.url}/courses")
    page.locator(".cards a").first.click()
    page.wait_for_url("**/courses/*-*")
    found["course"] = page.evaluate(FAULTS)
    page.locator("a[href*='/documents/']").first.click()
    page.wait_for_url("**/documents/*")
    found["document"] = page.evaluate(FAULTS)
    page.goto(f"{chat}/menu")
    found["menu"] = page.evaluate(FAULTS)
    assert {path: faults for path, faults in found.items() if faults} == {}


def test_the_check_itself_finds_faults(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    page.evaluate(
        """() => document.getElementById("main").insertAdjacentHTML(
            "beforeend",
            '<button></button><input><i id="main" aria-labelledby="none">a</i><font color="#bbb">pale</font>')"""
    )
    faults = page.evaluate(FAULTS)
    kinds = ("no name: <button>", "no name: <input>", "twice the id main", "aria-labelledby of nothing", "contrast 1")
    assert all(any(fault.startswith(kind) for fault in faults) for kind in kinds), faults


def focused(page: Page) -> str:
    """What has the focus: its name or text."""
    found: str = page.evaluate(
        "() => { const at = document.activeElement; return at.ariaLabel || at.id || at.textContent.trim(); }"
    )
    return found


def tab_to(page: Page, name: str, *, back: bool = False) -> None:
    """Press Tab until what is so called has the focus, and a ring that shows it."""
    for _ in range(80):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if re.search(name, focused(page)):
            assert page.evaluate(RING), f"no ring around {name}"
            return
    raise AssertionError(f"Tab never came to {name}")


def test_one_asks_reads_sources_and_renames_by_keys_alone(site: Site, sign_in: SignIn) -> None:
    page = sign_in(site)
    page.keyboard.type("What is gradient descent?")  # a new chat begins where one writes
    page.keyboard.press("Enter")
    page.wait_for_url("**/chats/*-*")
    answered(page)
    page.reload()
    page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); }")  # the beginning of the page
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the page"
    page.keyboard.press("Enter")
    assert focused(page) == "main"
    tab_to(page, "^Source 1")
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="Sources")
    expect(panel).to_be_visible()
    assert focused(page) == "Close the sources"
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert focused(page).startswith("Source 1")
    tab_to(page, "^Copy the answer$")
    tab_to(page, "^Answer again$")
    tab_to(page, "^text$")
    tab_to(page, "^More about this chat$", back=True)
    page.keyboard.press("Enter")
    tab_to(page, "^Rename$")
    page.keyboard.press("Enter")
    page.keyboard.type("By keys alone")
    page.keyboard.press("Enter")
    expect(page.locator("header h1")).to_have_text("By keys alone")
