"""report.json, and the page that is made from it alone."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.browser import PHONE
from tests.unit.report.conftest import HOSTILE
from utils.host.errors import RenderError
from utils.proof.golden import GoldenRow, texts
from utils.report.page import page
from utils.report.report import as_json, make_report, read_report
from utils.report.sections import SECTIONS


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src", "srcset", "action", "data")]

    def handle_data(self, data):
        self.texts.append(data)


def test_the_file_gives_the_same_report_and_the_same_page(finished, tmp_path):
    report = make_report(finished())
    file = tmp_path / "report.json"
    file.write_text(as_json(report), encoding="utf-8")
    assert read_report(file) == report
    assert page(read_report(file)) == page(report)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 9, "name": "", "sections": {}}'])
def test_another_file_is_refused(content, tmp_path):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(RenderError, match="build the model again"):
        read_report(tmp_path / "report.json")


def test_texts_of_the_model_are_never_markup(finished):
    elements = Elements(page(make_report(finished())))
    assert "script" not in elements.tags
    assert HOSTILE in elements.texts


def test_the_page_names_no_address_outside(finished):
    addresses = Elements(page(make_report(finished()))).addresses
    assert all(each.startswith(("#", "data:")) for each in addresses), addresses


def test_every_section_has_a_heading_and_a_link(finished):
    report = make_report(finished())
    elements = Elements(page(report))
    assert [f"#{name}" for name in report.sections] == [each for each in elements.addresses if each.startswith("#")]
    assert {each.title for each in SECTIONS if each.name in report.sections} <= set(elements.texts)


def test_what_was_built_is_in_the_file(finished):
    built = json.loads(as_json(make_report(finished())))["sections"]["built"]
    assert built["sources"] == [
        {"name": "model", "reference": "hf:team/topics", "revision": "c0ffee", "licence": "apache-2.0"}
    ]
    assert built["labels"] == ["a", HOSTILE]


def test_no_text_runs_in_a_browser(finished, tmp_path, visitor):
    """A label, a text and a plot with markup: no script runs, nothing is requested, and the page stays as wide."""
    file = tmp_path / "page.html"
    hostile = GoldenRow(
        model="ensemble_model",
        batched=True,
        inputs={"text_input": texts(["<img src=x onerror=alert(1)><svg/onload=alert(2)>" + "w" * 3000])},
        outputs={"predicts": texts(["</section></main><style>*{display:none}</style>"])},
    )
    golden = replace(finished().golden, rows=(hostile,), comparison="tensors")
    built = finished(golden=golden, served=(), record={"warnings": [HOSTILE, "javascript:alert(3)"]})
    file.write_text(page(make_report(built)), encoding="utf-8")
    visit = visitor.open(file.as_uri(), size=PHONE)
    dialogs = []
    visit.page.on("dialog", lambda dialog: dialogs.append(dialog.message) or dialog.dismiss())
    visit.check_width()
    visit.check_accessibility()
    assert visit.page.locator("script, main img, main style, [onerror]").count() == 0
    assert visit.page.locator("#proof").is_visible()
    assert (visit.requests, dialogs) == ([file.as_uri()], [])
