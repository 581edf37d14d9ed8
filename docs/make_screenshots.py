"""Takes the pictures of the documentation from a running site: `python docs/make_screenshots.py http://127.0.0.1:8000`.

Start the site with `make run` first; the demo account `student` asks and the built-in tutor answers. Needs Playwright
and a Chromium (`CHROMIUM` names another than the one that is found). Each picture stays below 300 kB.
"""

import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

FOLDER = Path(__file__).parent / "images"
MOST_BYTES = 300_000
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
QUESTION = "What is gradient descent?"


def main(address: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for theme in ("light", "dark"):
            desktop(browser, address, theme)
            phone(browser, address, theme)
        browser.close()


def desktop(browser: Browser, address: str, theme: str) -> None:
    page = signed_in(browser, address, color_scheme=theme, **DESKTOP)
    save(page, f"new-chat-{theme}")
    ask(page)
    page.locator("a.citation").first.click()
    expect(page.get_by_role("dialog", name="Sources")).to_be_visible()
    save(page, f"chat-{theme}")
    page.goto(f"{address}/courses")
    page.locator(".cards a").first.click()
    save(page, f"course-{theme}")
    page.context.close()


def phone(browser: Browser, address: str, theme: str) -> None:
    page = signed_in(browser, address, color_scheme=theme, **PHONE)
    ask(page)
    save(page, f"phone-{theme}")
    page.context.close()


def signed_in(browser: Browser, address: str, **options: Any) -> Page:
    page = browser.new_context(reduced_motion="reduce", **options).new_page()
    page.goto(f"{address}/accounts/login/")
    page.get_by_label("Login").fill("student")
    page.get_by_label("Password", exact=True).fill("studybuddy")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/chats")
    return page


def ask(page: Page) -> None:
    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".turn[data-state=complete] .sources")).to_be_visible(timeout=30_000)


def save(page: Page, name: str) -> None:
    """Write the picture with as few colours as it takes to stay small."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    path = FOLDER / f"{name}.png"
    picture.save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {size // 1000} kB")
    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} is larger than {MOST_BYTES // 1000} kB")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8000")
