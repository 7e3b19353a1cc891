"""SVG in the page: its texts, its colours, its ids."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib import rc_context

from tests.unit.report.conftest import HOSTILE
from utils.report import plots
from utils.report.page import TEMPLATES


def paint(axes):
    axes.scatter([1, 10], [1, 10], color=plots.COLOURS["plot"])
    axes.set_xlabel(HOSTILE)
    axes.set_xscale("log")
    plots.powers_of_ten(axes.xaxis)
    plots.whole_numbers(axes.yaxis)


@pytest.fixture(scope="module")
def svg():
    return plots.draw(paint, title=HOSTILE)


def test_texts_are_texts_and_never_markup(svg):
    texts = [each.text for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}text")]
    assert HOSTILE in texts
    assert {"1", "10"} <= set(texts), "no formula"
    assert ElementTree.fromstring(svg).attrib["aria-label"] == HOSTILE
    assert "<script" not in svg


def test_every_colour_is_a_variable_of_the_style_sheet(svg):
    assert not re.findall(r"#[0-9a-f]{6}\b", svg)
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    used = set(re.findall(r"var\(--(\w+)\)", svg))
    assert {"plot", "line", "muted"} <= used <= set(plots.COLOURS)
    assert all(style.count(f"--{name}:") == 2 for name in plots.COLOURS), "light and dark"


def test_two_plots_of_a_page_share_no_id(svg):
    def ids(text):
        return set(re.findall(r' id="([^"]+)"', text))

    assert ids(svg) and not ids(svg) & ids(plots.draw(paint, title="another"))


def test_the_same_plot_is_the_same_text_whatever_the_user_has_set(svg):
    assert plots.draw(paint, title=HOSTILE) == svg
    with rc_context({"text.usetex": True, "axes.facecolor": "#123456", "font.size": 30}):
        assert plots.draw(paint, title=HOSTILE) == svg
