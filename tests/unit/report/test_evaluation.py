"""The section of --eval-file in the report: its figures, its plots, and texts that try to be markup."""

from dataclasses import replace

import pytest

from tests.unit.report.conftest import HOSTILE
from utils.evaluation.evaluation import (
    Calibration,
    CalibrationBin,
    Evaluation,
    LengthBin,
    WorstRow,
    write_evaluation,
)
from utils.evaluation.kind import Answer, ConfusedPair, Confusion, EvalRow, LabelFigures
from utils.evaluation.kinds import KINDS
from utils.report import evaluation
from utils.report.page import page
from utils.report.report import as_json, make_report, read_report
from utils.report.units import METRICS

EVALUATION = Evaluation(
    task="text-classification",
    kind="label",
    file=HOSTILE,
    digest="c0ffee",
    rows=4,
    headline="accuracy",
    before={"accuracy": 0.75, "f1_macro": 0.7, "f1_weighted": 0.72},
    after={"accuracy": 0.5, "f1_macro": 0.4, "f1_weighted": None},
    of="after",
    by_length=(LengthBin(least=0, most=16, rows=3, value=0.5), LengthBin(least=513, most=None, rows=1, value=None)),
    worst=(
        WorstRow(
            line=3,
            texts=(HOSTILE,),
            right=Answer(texts=("a",)),
            given=Answer(texts=(HOSTILE,), scores=(0.9,)),
            loss=1.9,
        ),
    ),
    by_label=(LabelFigures(label=HOSTILE, precision=0.5, recall=1.0, f1=2 / 3, support=2),),
    confusion=Confusion(
        labels=("a", HOSTILE), counts=((1, 1), (1, 1)), pairs=(ConfusedPair(right="a", given=HOSTILE, count=1),)
    ),
    calibration=Calibration(bins=(CalibrationBin(score=0.9, right=0.5, answers=4),), error=0.4, brier=0.3),
)


def report(finished, tmp_path, value):
    write_evaluation(value, tmp_path)
    return make_report(finished())


def test_the_page_has_the_figures_and_no_markup_of_texts(finished, tmp_path):
    made = report(finished, tmp_path, EVALUATION)
    text = page(made)
    assert "<script" not in text and text.count("&lt;script&gt;") > 5
    assert "Before: PyTorch" in text and "After: served" in text and "undefined" in text
    assert [(each.label, each.value, each.note) for each in evaluation.figures(EVALUATION)] == [
        ("Accuracy", "50%", "served; PyTorch 75%")
    ]
    (tmp_path / "report.json").write_text(as_json(made), encoding="utf-8")
    assert read_report(tmp_path / "report.json").sections["evaluation"] == EVALUATION


def test_the_plots(finished, tmp_path):
    drawn = evaluation.drawn(EVALUATION)
    assert set(drawn) == {"confusion", "calibration", "lengths"}
    assert all(each.startswith("<svg") and "<image" not in each for each in drawn.values())
    assert 'aria-label="Accuracy by length"' in drawn["lengths"] and "513" not in drawn["lengths"]
    assert "<svg" in page(report(finished, tmp_path, replace(EVALUATION, confusion=None, calibration=None)))
    bare = replace(EVALUATION, confusion=None, calibration=None, by_length=(), worst=(), by_label=())
    assert evaluation.drawn(bare) == {}
    assert 'id="evaluation"' in page(report(finished, tmp_path, bare))


def test_without_a_server_only_what_was_before_is_shown(finished, tmp_path):
    before = replace(EVALUATION, after=None, of="before")
    text = page(report(finished, tmp_path, before))
    assert "the server was not asked" in text and "After: served" not in text
    assert evaluation.figures(before)[0].value == "75%"


def test_a_build_without_the_file_has_no_section(finished):
    assert evaluation.make(finished()) is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_has_a_name(kind):
    """Of each kind, for two answers that are right."""
    right = Answer(texts=("a",), scores=(1.0,), spans=((0, 1),))
    rows = [EvalRow(line=place, examples=({"text_input": "a"},), right=right) for place in range(2)]
    metrics = KINDS[kind].measure(rows, [right, right]).metrics
    assert set(metrics) <= set(METRICS) and KINDS[kind].headline in metrics
