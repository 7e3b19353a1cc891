"""Debian's Chromium without a window: pages that are watched for errors, checked for accessibility and photographed."""

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright

from tests.unavailable import unavailable
from utils import ROOT

DESKTOP, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=844)
SERIOUS = ("serious", "critical")
MAX_SCREENSHOT_BYTES = 150_000
# Before a page is closed: the browser reports a rejected promise or a failed request a moment later.
SETTLE_MILLISECONDS = 100


@dataclass(frozen=True)
class Visit:
    """A page in a browser, and what happened on it.

    `errors`: failed requests, console errors and uncaught exceptions. `requests`: the URLs that it asked for.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def check_accessibility(self) -> None:
        """Fails when axe-core has a serious or critical finding on the page as it is now."""
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        faults = [
            f"{each['id']} ({each['impact']}): {each['help']}: {[node['html'] for node in each['nodes']]}"
            for each in found
            if each["impact"] in SERIOUS
        ]
        assert not faults, "\n".join(faults)

    def check_width(self) -> None:
        """Fails when the page is wider than the window."""
        wide, size = self.page.evaluate("document.documentElement.scrollWidth"), self.page.viewport_size
        assert size, "the page has no window"  # a phone makes its window as wide as the page: not window.innerWidth
        assert wide <= size["width"], f"the page is {wide} pixels wide, the window {size['width']}"

    def screenshot(self, name: str, *, full: bool = True) -> None:
        """With UPDATE_SCREENSHOTS=1, writes a picture of the page to the file `name` of the checkout ("docs/x.png").

        It has 256 colours, which halves the file. Otherwise fails when the file is not there. `full`: the whole page,
        else what the window shows.
        """
        file = ROOT / name
        if os.environ.get("UPDATE_SCREENSHOTS") == "1":
            content = self.page.screenshot(full_page=full, animations="disabled", caret="hide")
            Image.open(io.BytesIO(content)).convert("RGB").quantize(256).save(file, optimize=True)
        assert file.is_file(), f"{name} is missing; run the test with UPDATE_SCREENSHOTS=1"
        assert file.stat().st_size <= MAX_SCREENSHOT_BYTES, f"{name} has {file.stat().st_size} bytes"


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A running Chromium. Its asyncio loop is this thread's as long as it runs: asyncio.run() is refused meanwhile."""
    program = shutil.which("chromium")
    if not program:
        unavailable("chromium is not on PATH; install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Opens pages in `browser`, each as a new user: no cookie, cache or stored value of another one."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._visits: list[Visit] = []

    def open(self, url: str, *, size: ViewportSize = DESKTOP, dark: bool = False) -> Visit:
        """The page at `url`, loaded. PHONE is a phone with a touch screen."""
        context = self._browser.new_context(
            viewport=size,
            color_scheme="dark" if dark else "light",
            is_mobile=size is PHONE,
            has_touch=size is PHONE,
            reduced_motion="reduce",
            locale="en-US",
        )
        visit = Visit(context.new_page())
        self._visits.append(visit)
        visit.page.on("console", lambda message: _note(visit, message))
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("requestfailed", lambda request: visit.errors.append(f"{request.url}: {request.failure}"))
        visit.page.goto(url)
        return visit

    def close(self) -> None:
        """Closes all pages. Fails when one of them has errors; a test that expects errors checks and clears them."""
        for visit in self._visits:
            visit.page.wait_for_timeout(SETTLE_MILLISECONDS)
            visit.page.context.close()
        errors = [error for visit in self._visits for error in visit.errors]
        assert not errors, "\n".join(errors)


def _note(visit: Visit, message: ConsoleMessage) -> None:
    if message.type == "error":
        visit.errors.append(message.text)
