"""What a conversion does with --eval-file before it exports: the kind of its answers, and the rows that are refused."""

import json

import pytest

from tests import tiny_models
from tests.unit.evaluation.reading import QUESTION, TEXT
from utils.convert.evaluated import calibration_texts, require_answerable, texts_of
from utils.convert.task import ConversionSpec
from utils.evaluation.calibration_file import CalibrationFile
from utils.evaluation.eval_file import EvalFile
from utils.evaluation.records import digest_of
from utils.host.errors import SourceError, UsageError
from utils.targets.releases import default_release, find_release
from utils.targets.target import Target
from utils.tasks import TASKS


@pytest.mark.parametrize(
    ("task", "settings", "size", "kind"),
    [
        ("text-classification", {"score_function": "softmax", "score_rule": "pipeline"}, 3, "label"),
        ("text-pair-classification", {"score_function": "sigmoid", "score_rule": "pipeline"}, 3, "labels"),
        ("text-classification", {"score_function": "none", "score_rule": "raw-value"}, 1, "value"),
        ("text-classification", {"score_function": "none", "score_rule": "option"}, 3, "raw-label"),
        ("text-ranking", {}, 1, "score"),
        ("zero-shot-classification", {"multi_label": True}, 3, "candidates"),
        ("zero-shot-classification", {"multi_label": False}, 3, "candidate"),
    ],
)
def test_the_kind_of_answer_follows_the_scores(task, settings, size, kind):
    assert TASKS[task].right_answers(settings, size) == kind


@pytest.mark.parametrize(
    ("task", "settings"),
    [("text-classification", {"score_function": "none", "score_rule": "pipeline"}), ("text-ranking", {})],
)
def test_several_raw_values_have_no_right_answer(task, settings):
    with pytest.raises(UsageError, match="this model gives 3; leave it out"):
        TASKS[task].right_answers(settings, 3)


def spec(tmp_path, task, kind, inputs, content, settings, calibration_file=None):
    file = tmp_path / "rows.tsv"
    file.write_text(content, encoding="utf-8")
    rows = EvalFile(file=file, kind_name=kind, inputs=inputs, labels=("a", "b"), digest=digest_of(file))
    target = Target(release=find_release(default_release()))
    return ConversionSpec(
        task=TASKS[task],
        target=target,
        max_batch_size=4,
        settings=settings,
        eval_file=rows,
        calibration_file=calibration_file,
    )


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import BertTokenizerFast

    return BertTokenizerFast(tokenizer_object=tiny_models.wordpiece(), model_max_length=32)


def test_a_question_that_fills_its_row_is_named(tokenizer, tmp_path):
    content = f"why\tthe fox\tfox\n{'the ' * 40}\tthe fox\tfox\n"
    conversion = spec(tmp_path, "question-answering", "answers", QUESTION, content, {})
    with pytest.raises(SourceError, match="line 2 has a text that the model does not answer"):
        require_answerable(tokenizer, 32, conversion)


def test_a_text_without_tokens_is_named(tmp_path):
    """A tokenizer that adds no special tokens gives none for an empty text; only that is taken from it here."""
    bare = lambda text: {"input_ids": text.split()}  # noqa: E731
    conversion = spec(tmp_path, "text-classification", "label", TEXT, "the fox\ta\n\tb\n", {})
    with pytest.raises(SourceError, match="line 2 has a text"):
        require_answerable(bare, 32, conversion)
    assert texts_of(conversion) == ("the fox", "")


def test_the_texts_of_a_calibration_file_are_checked_too(tokenizer, tmp_path):
    file = tmp_path / "texts.jsonl"
    lines = [{"question": "why", "context": "the fox"}, {"question": "the " * 40, "context": "the fox"}]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    calibration = CalibrationFile(file=file, inputs=QUESTION, digest=digest_of(file))
    one = spec(tmp_path, "question-answering", "answers", QUESTION, "why\tthe fox\tfox\n", {}, calibration)
    with pytest.raises(SourceError, match=r"--calibration-file .* line 2 has a text that the model does not answer"):
        require_answerable(tokenizer, 32, one)
    assert calibration_texts(one)[0] == ("why", "the fox")
