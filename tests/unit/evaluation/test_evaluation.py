"""The evaluation of a file: before and after, calibration, lengths, the worst rows, and its JSON."""

import json

import pytest

from tests.unit.evaluation.reading import TEXT
from utils.evaluation.eval_file import EvalFile
from utils.evaluation.evaluation import EVALUATION_FILE, evaluate, read_evaluation, write_evaluation
from utils.evaluation.kind import Answer
from utils.evaluation.records import digest_of

LABELS = ("sport", "weather")


@pytest.fixture
def source(tmp_path):
    """100 rows whose right label is "sport"."""
    file = tmp_path / "rows.tsv"
    file.write_text("".join(f"text {number} {'x' * 400}\tsport\n" for number in range(100)), encoding="utf-8")
    return EvalFile(file=file, kind_name="label", inputs=TEXT, labels=LABELS, digest=digest_of(file))


def answers(right, score=0.95):
    return [Answer(texts=("sport" if number < right else "weather",), scores=(score,)) for number in range(100)]


def test_before_and_after(source, tmp_path):
    """90 of 100 rows right, each with the score 0.95: the error of calibration is 0.05, Brier's 0.9 * 0.05² + ..."""
    before = evaluate("text-classification", source, answers(100), [8] * 100)
    assert (before.before["accuracy"], before.after, before.of, before.worst) == (1, None, "before", ())
    assert before.sentence.startswith("PyTorch on 100 rows of --eval-file: accuracy 1, f1_macro 1")
    after = evaluate("text-classification", source, answers(90), [8] * 60 + [600] * 40, before=before.before)
    assert (after.before, after.after["accuracy"], after.of) == (before.before, 0.9, "after")
    assert "accuracy 0.9" in after.sentence and after.sentence.endswith("(accuracy before: 1)")
    (calibrated,) = after.calibration.bins
    assert (calibrated.score, calibrated.right, calibrated.answers) == (pytest.approx(0.95), 0.9, 100)
    assert after.calibration.error == pytest.approx(0.05)
    assert after.calibration.brier == pytest.approx(0.9 * 0.05**2 + 0.1 * 0.95**2)
    assert [(each.least, each.most, each.rows, each.value) for each in after.by_length] == [
        (0, 16, 60, 1), (513, None, 40, 0.75),
    ]  # fmt: skip
    assert [each.line for each in after.worst] == list(range(91, 101))
    assert len(after.worst[0].texts[0]) == 300
    write_evaluation(after, tmp_path)
    assert read_evaluation(tmp_path) == after
    assert json.loads((tmp_path / EVALUATION_FILE).read_text(encoding="utf-8"))["after"]["accuracy"] == 0.9


def test_the_least_right_rows_come_first_and_are_fifty(source):
    predictions = [Answer(texts=("weather",), scores=(number / 100,)) for number in range(100)]
    worst = evaluate("text-classification", source, predictions, [1] * 100).worst
    assert [each.line for each in worst] == list(range(100, 50, -1))


def test_bins_of_calibration_hold_what_scikit_learn_puts_there(source):
    predictions = [Answer(texts=("sport",), scores=(number / 100,)) for number in range(100)]
    found = evaluate("text-classification", source, predictions, [1] * 100).calibration
    assert sum(each.answers for each in found.bins) == 100
    assert [each.score for each in found.bins] == sorted(each.score for each in found.bins)
    assert found.error == pytest.approx(sum(1 - number / 100 for number in range(100)) / 100)


def test_a_tree_without_the_file_has_no_evaluation(tmp_path):
    assert read_evaluation(tmp_path) is None
