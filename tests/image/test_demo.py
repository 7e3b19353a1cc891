"""./demo.sh on a real engine, with the try-it page of its container in a browser."""

import shutil
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from examples.demo import PAGE_OPTIONS
from tests import shared_conversions
from tests.server.try_pages import bars, send
from utils import ROOT
from utils.host.build_tree import BUILD

TEXT = "The forecast promises sun after a cold morning."


@pytest.fixture
def demo(engine, bases, tmp_path):
    """demo.sh --open, waiting for Enter. The browser is a script that notes its argument."""
    browser, opened, log = tmp_path / "browser", tmp_path / "opened", tmp_path / "log"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened}.part" && mv "{opened}.part" "{opened}"\n')
    browser.chmod(0o755)
    command = [ROOT / "demo.sh", "--open", "--base-image", bases[0], "--slim-image", bases[1]]
    env = shared_conversions.environment(BROWSER=str(browser))
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, env=env
        )
    try:
        deadline = time.monotonic() + 900
        while not opened.exists():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield process, opened.read_text().strip(), log
    finally:
        process.kill()
        process.communicate()
        engine.client.run("rmi", "--force", "tritoned_topics:demo")
        shutil.rmtree(BUILD / "topics/demo", ignore_errors=True)


@pytest.mark.long
def test_the_demo_serves_its_page_until_enter(demo, visitor):
    """The container has the setting that docs/try.md names."""
    assert f"docker run --rm {' '.join(PAGE_OPTIONS)} " in (ROOT / "docs/try.md").read_text(encoding="utf-8")
    process, url, log = demo
    visit = visitor.open(url)
    visit.page.get_by_label("Text", exact=True).fill(TEXT)
    assert send(visit.page).startswith("weather, ")
    assert {label for label, _ in bars(visit.page)} == {"weather", "sport", "cooking", "finance"}
    visit.page.set_viewport_size({"width": 1000, "height": 700})
    visit.screenshot("docs/try_text_classification.png")
    out, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0, log.read_text()
    assert [line.split()[0] for line in out.splitlines()] == ["sport", "cooking", "weather"]
    messages = log.read_text()
    assert "built and proven: tritoned_topics:demo" in messages
    assert f"try-it page: {url} (Enter or Ctrl-C ends the server)" in messages
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=5)
