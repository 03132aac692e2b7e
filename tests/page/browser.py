"""A headless Chromium that opens pages from files and tells what went wrong in them."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
Scheme = Literal["light", "dark"]


@dataclass
class Opened:
    """A page as it was opened, what its console said, what it asked for, and what of that its policy refused."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Raises RuntimeError when there is none: CHROMIUM names one, else it is looked for in PATH."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise RuntimeError("the tests of the page need a Chromium: apt-get install chromium, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, path: Path, *, width: int, height: int = 844, scheme: Scheme = "light"
) -> Iterator[Opened]:
    """The file in a window of its own, without a cache."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    seen = Opened(context.new_page())
    seen.page.on("console", lambda message: seen.said.append(message.text))
    seen.page.on("pageerror", lambda error: seen.said.append(str(error)))
    seen.page.on("request", lambda request: seen.asked.append(request.url))
    seen.page.on("requestfailed", lambda each: each.failure == "csp" and seen.refused.append(each.url))
    seen.page.goto(path.as_uri())
    try:
        yield seen
    finally:
        context.close()
