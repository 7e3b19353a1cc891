from dataclasses import replace

import pytest

from tests import tiny_models
from utils.convert.reference_model import ReferenceModel
from utils.host.errors import UsageError
from utils.sources.model_config import ModelConfig, read_model_config
from utils.tasks.text_classification import TASK, TOP_K, answer, resolve_settings

LABELS = ("a", "b", "c", "d", "e")


def config_of(tmp_path, head_size, problem_type):
    return ModelConfig(file=tmp_path, model_type="bert", head_size=head_size, problem_type=problem_type)


@pytest.mark.parametrize(
    ("problem_type", "expected", "k", "function"),
    [
        ("single_label_classification", None, 1, "softmax"),
        ("multi_label_classification", None, 5, "sigmoid"),
        ("regression", None, 1, "none"),
        ("single_label_classification", 5, 5, "softmax"),
        ("multi_label_classification", 2, 2, "sigmoid"),
    ],
)
def test_how_many_labels_an_answer_has_and_what_its_scores_are(tmp_path, problem_type, expected, k, function):
    options = {} if expected is None else {"top_k": expected}
    settings = resolve_settings(config_of(tmp_path, 5, problem_type), LABELS, options)
    assert settings == {"score_function": function, "score_rule": "pipeline", "top_k": k}
    assert [tensor.dims for tensor in TASK.outputs(settings, None)] == [(k,), (k,)]


def test_more_labels_than_the_model_has_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--top-k 6 is more than the model has labels; give at most 5"):
        resolve_settings(config_of(tmp_path, 5, "regression"), LABELS, {"top_k": 6})


@pytest.mark.parametrize("text", ["0", "-1", "x", ""])
def test_top_k_is_a_whole_number(text):
    assert TOP_K.parse("3") == 3
    with pytest.raises(UsageError, match=f"--top-k is '{text}'"):
        TOP_K.parse(text)


@pytest.mark.parametrize(
    ("problem_type", "names_problem", "options", "function", "rule"),
    [
        ("single_label_classification", True, {}, "sigmoid", "pipeline"),
        ("multi_label_classification", True, {}, "sigmoid", "pipeline"),
        ("regression", True, {}, "none", "pipeline"),
        ("regression", False, {}, "none", "raw-value"),
        ("regression", False, {"activation": "sigmoid"}, "sigmoid", "option"),
        ("single_label_classification", True, {"activation": "none"}, "none", "option"),
    ],
)
def test_the_scores_of_one_output(tmp_path, capsys, problem_type, names_problem, options, function, rule):
    config = replace(config_of(tmp_path, 1, problem_type), names_problem=names_problem)
    assert resolve_settings(config, LABELS[:1], options) == {"score_function": function, "score_rule": rule, "top_k": 1}
    assert ("--activation sigmoid" in capsys.readouterr().err) == (rule == "raw-value")


def test_an_activation_of_ranking_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'tanh' is not for --task text-classification; choose one of: sigmoid, softm"):
        resolve_settings(config_of(tmp_path, 1, "regression"), LABELS[:1], {"activation": "tanh"})


HEADS = {
    "three": (("a", "b", "c"), {}, {}),
    "three, each by itself": (("a", "b", "c"), {"problem_type": "multi_label_classification"}, {}),
    "three values": (("a", "b", "c"), {"problem_type": "regression"}, {}),
    "three, by the option": (("a", "b", "c"), {}, {"activation": "sigmoid"}),
    "one, named a class": (("toxic",), {"problem_type": "single_label_classification"}, {}),
    "one, named a regression": (("stars",), {"problem_type": "regression"}, {}),
    "one, by the option": (("stars",), {}, {"activation": "sigmoid"}),
}


@pytest.mark.parametrize("head", HEADS)
def test_the_golden_answers_are_those_of_transformers_own_pipeline(tmp_path, head):
    from transformers import pipeline

    labels, config, options = HEADS[head]
    folder = tiny_models.bert(tmp_path / "model", labels=labels, **config)
    users = pipeline("text-classification", model=str(folder), device="cpu", top_k=None)
    original = ReferenceModel(
        model=users.model, tokenizer=users.tokenizer, max_length=128, labels=labels, texts=(), outputs=()
    )
    settings = resolve_settings(read_model_config(folder), labels, options)
    examples = [{"text_input": "помогите"}, {"text_input": "a", "text_pair": "The fox"}, {"text_input": "word " * 300}]
    for row, example in zip(answer(original, settings, examples), examples, strict=True):
        inputs = {"text": example["text_input"], "text_pair": example.get("text_pair", "")}
        right = users(inputs, truncation=True, **({"function_to_apply": "sigmoid"} if options else {}))
        assert row["predicts"].data == tuple(each["label"] for each in right)
        assert row["scores"].data == pytest.approx([each["score"] for each in right], abs=1e-6)
        assert row["predicts"].shape == row["scores"].shape == (len(labels),)


def test_the_steps_take_what_the_one_before_gives(make_ingredients):
    steps = [make(make_ingredients()) for make in TASK.layouts["ensemble"]]
    assert [step.component for step in steps] == ["text_preprocessing", "model_onnx", "post_processing"]
    assert steps[0].outputs == steps[1].inputs and steps[1].outputs == steps[2].inputs
