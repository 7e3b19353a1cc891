"""The checks that tests of pages rely on find the faults that they are for."""

import time

import pytest

from tests.browser import DESKTOP, PHONE, Visitor, launched

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>
<body><main><h1>Page</h1>{}</main></body></html>"""


@pytest.fixture
def page(tmp_path):
    def write(body):
        file = tmp_path / "page.html"
        file.write_text(PAGE.format(body))
        return file.as_uri()

    return write


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_page_without_faults_passes(visitor, page, size, dark):
    url = page("<p>Some text</p>")
    visit = visitor.open(url, size=size, dark=dark)
    visit.check_accessibility()
    visit.check_width()
    assert visit.requests[0] == url
    assert visit.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is dark


def test_a_picture_without_a_description_is_found(visitor, page):
    with pytest.raises(AssertionError, match="image-alt"):
        visitor.open(page('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">')).check_accessibility()


def test_a_page_wider_than_the_phone_is_found(visitor, page):
    with pytest.raises(AssertionError, match="pixels wide"):
        visitor.open(page('<div style="width: 700px">wide</div>'), size=PHONE).check_width()


@pytest.mark.parametrize(
    "fault", ["console.error('told')", "missing()", "Promise.reject(new Error('told'))", "fetch('file:///none')"]
)
def test_an_error_of_a_page_fails_its_test(browser, page, fault):
    visitor = Visitor(browser)
    visit = visitor.open(page(f"<script>{fault}</script>"))
    deadline = time.monotonic() + 10
    while not visit.errors and time.monotonic() < deadline:
        visit.page.wait_for_timeout(50)
    with pytest.raises(AssertionError):
        visitor.close()


def test_a_missing_picture_is_reported(visitor, page, monkeypatch):
    monkeypatch.delenv("UPDATE_SCREENSHOTS", raising=False)
    with pytest.raises(AssertionError, match="docs/none"):
        visitor.open(page("")).screenshot("docs/none.png")


@pytest.mark.parametrize(("in_ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_machine_without_chromium_is_reported(monkeypatch, in_ci, outcome):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", in_ci)
    with pytest.raises(outcome, match="chromium"), launched():
        pass
