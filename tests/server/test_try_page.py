"""The try-it page as a person uses it: `serve.sh --try`, a model with its own names, small batches, hostile labels."""

import json
import shutil
import subprocess
import uuid

import pytest

from tests import tiny_models
from tests.browser import PHONE
from tests.server.task_requests import build
from tests.server.test_serve import ANY_PORTS, served
from tests.server.try_pages import bars, send
from utils import ROOT
from utils.host.build_tree import BUILD

LABELS = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", '"quoted", and a comma', "дождь")
NAMES = ("--input-name", "review", "--output-name", "predicts=topic,scores=certainty")
LIMIT = 20_000
COMMAND = "./serve.sh build/topics/v1 --try "


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A build of the layout that has an ensemble, with names of its own and requests of at most two texts."""
    model, name = tmp_path_factory.mktemp("model") / "model", f"pages-{uuid.uuid4().hex[:8]}"
    tiny_models.bert(model, labels=LABELS)
    options = ("--layout", "ensemble", "--top-k", "4", *NAMES, "--no-verify")
    done = build(model, model, "-", name, "v1", "2", *options)
    assert done.returncode == 0, done.stderr
    yield BUILD / name / "v1"
    shutil.rmtree(BUILD / name)


@pytest.fixture(scope="module")
def url(tree):
    """The address that serve.sh prints, as docs/try.md calls it."""
    assert COMMAND in (ROOT / "docs/try.md").read_text(encoding="utf-8")
    arguments = COMMAND.replace("build/topics/v1", str(tree)).split()[1:]
    with served(*arguments, *ANY_PORTS, env={"TRITON_MAX_INPUT_BYTES": str(LIMIT)}) as server:
        server.wait_until_ready()
        line = server.process.stderr.readline()
        assert line == f"try-it page: http://{server.http}/try/\n"
        yield line.split()[-1]


@pytest.fixture
def page(visitor, url):
    page = visitor.open(url).page
    page.locator("main").wait_for()
    return page


def test_the_form_is_used_by_the_keyboard_alone(page):
    """From the top of the page: every stop of the Tab key has a name, and Enter, Space and arrows do the rest."""
    stops = []
    while "Send" not in stops and len(stops) < 20:
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate("document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent")
        )
        if stops[-1] == "Text":
            page.keyboard.press("Control+A")
            page.keyboard.type("Typed by hand")
    assert stops[:3] == ["4 labels", "One request", "Text"]
    page.keyboard.press("Enter")
    page.locator("#latency", has_text="ms").wait_for()
    assert len(bars(page)) == 4
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", selected=True, name="Python").is_visible()
    assert '"data": ["Typed by hand"]' in page.locator("#code").text_content()
    page.get_by_role("tab", name="One request").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("One text a line").is_visible()


def test_control_and_enter_send_and_the_latency_is_the_median(page):
    page.get_by_label("Text", exact=True).press("Control+Enter")
    page.locator("#latency", has_text="ms").wait_for()
    for count in (2, 3):
        page.get_by_role("button", name="Send", exact=True).click()
        page.locator("#latency", has_text=f"median of the last {count} requests").wait_for()


def test_hostile_labels_and_texts_are_only_texts(page):
    """As an answer, in the list of labels, in the commands, and as cells of a batch."""
    text = '<img src=x onerror=alert(3)> ${`x`} \'; echo \\ "a"\n</textarea>'
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.get_by_label("Text", exact=True).fill(text)
    assert send(page).rpartition(", ")[0] in LABELS
    assert {label for label, _ in bars(page)} == set(LABELS)
    page.get_by_text("4 labels").click()
    assert page.locator("header details p").inner_text() == ", ".join(LABELS)
    command = page.locator("#code").text_content()
    shown = json.loads(subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=True).stdout)
    assert {each["name"] for each in shown["outputs"]} == {"topic", "certainty"}
    page.get_by_role("tab", name="Batch").click()
    page.get_by_label("One text a line").fill(text)
    page.get_by_role("button", name="Send all").click()
    page.locator("#batch-status", has_text="2 answered in").wait_for()
    assert page.locator("td").first.inner_text() == text.split("\n", maxsplit=1)[0]
    assert page.locator("img, script:not([src])").count() == 0


def test_a_batch_is_cut_to_the_largest_request_and_copied_as_csv(visitor, url):
    visit = visitor.open(url)
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("tab", name="Batch").click()
    page.get_by_label("One text a line").fill('one\ntwo, "three"\n\nfour\n   \nfive\nsix')
    page.get_by_role("button", name="Send all").click()
    page.locator("#batch-status", has_text="5 answered in").wait_for()
    assert len([each for each in visit.requests if each.endswith("/infer")]) == 3
    columns = ["text", *(f"{name} {place}" for place in range(1, 5) for name in ("label", "score"))]
    assert page.locator("th").all_inner_texts() == columns
    assert page.locator("tbody td:first-child").all_inner_texts() == ["one", 'two, "three"', "four", "five", "six"]
    visit.check_accessibility()
    page.set_viewport_size(PHONE)
    visit.check_width()
    page.get_by_role("button", name="Copy CSV").click()
    page.locator("#batch-status", has_text="5 rows copied").wait_for()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0] == ",".join(columns)
    assert lines[2].startswith('"two, ""three""",')
    assert '"""quoted"", and a comma"' in lines[1]


def test_a_mistake_is_reported_in_a_sentence(visitor, url):
    visit = visitor.open(url)
    page = visit.page
    page.get_by_label("Text", exact=True).fill("  ")
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator("#status.error", has_text="Fill in: Text.").wait_for()
    assert page.locator("#code").text_content() == "Fill in: Text."
    page.get_by_label("Text", exact=True).fill("a" * LIMIT)
    page.get_by_role("button", name="Send", exact=True).click()
    refused = page.locator("#status.error", has_text="The server refused the request (413)")
    refused.wait_for()
    assert f"{LIMIT} bytes" in refused.inner_text()
    visit.check_accessibility()
    assert all("413" in error for error in visit.errors)
    page.context.set_offline(True)
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator("#status.error", has_text="The server did not answer").wait_for()
    visit.errors.clear()  # the browser reports each of these answers on its console


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_on_a_phone(visitor, url, dark):
    visit = visitor.open(url, size=PHONE, dark=dark)
    send(visit.page)
    visit.check_accessibility()
    visit.check_width()


def test_a_repository_without_a_build_has_no_page(tree, tmp_path):
    (tmp_path / "model_repository").symlink_to(tree / "model_repository")
    bare = shutil.copytree(tree / "model_repository", tmp_path / "bare/model_repository")
    command = [ROOT / "serve.sh", bare, "--try"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --try needs the try.json") and done.stderr.count("\n") == 1


def test_the_page_needs_the_guard(tree):
    command = [ROOT / "serve.sh", tree, "--try", *ANY_PORTS]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TRITON_GUARD": "never"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the guard serves the page" in done.stderr
