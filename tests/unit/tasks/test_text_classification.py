from types import SimpleNamespace

import numpy as np
import pytest

from utils.errors import UsageError
from utils.model_config import ModelConfig
from utils.tasks.text_classification import TASK, TOP_K, answer, settle

LABELS = ("a", "b", "c", "d", "e")


def config_of(tmp_path, head_size, problem_type):
    return ModelConfig(file=tmp_path, model_type="bert", head_size=head_size, problem_type=problem_type)


@pytest.mark.parametrize(
    ("problem_type", "wanted", "k", "function"),
    [
        ("single_label_classification", None, 1, "softmax"),
        ("multi_label_classification", None, 5, "sigmoid"),
        ("regression", None, 1, "none"),
        ("single_label_classification", 5, 5, "softmax"),
        ("multi_label_classification", 2, 2, "sigmoid"),
    ],
)
def test_how_many_labels_an_answer_has_and_what_its_scores_are(tmp_path, problem_type, wanted, k, function):
    options = {} if wanted is None else {"top_k": wanted}
    settings = settle(config_of(tmp_path, 5, problem_type), LABELS, options)
    assert settings == {"score_function": function, "top_k": k}
    assert [tensor.dims for tensor in TASK.outputs(settings, None)] == [(k,), (k,)]


def test_more_labels_than_the_model_has_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--top-k 6 is more than the model has labels; give at most 5"):
        settle(config_of(tmp_path, 5, "regression"), LABELS, {"top_k": 6})


@pytest.mark.parametrize("text", ["0", "-1", "x", ""])
def test_top_k_is_a_whole_number(text):
    assert TOP_K.parse("3") == 3
    with pytest.raises(UsageError, match=f"--top-k is '{text}'"):
        TOP_K.parse(text)


@pytest.mark.parametrize(
    ("function", "scores"),
    [
        ("softmax", [0.6652, 0.2447, 0.0900]),
        ("sigmoid", [0.8808, 0.7311, 0.5000]),
        ("none", [2.0, 1.0, 0.0]),
    ],
)
def test_the_golden_answer_ranks_all_labels(function, scores):
    outputs = ({"logits": np.array([0.0, 2.0, 1.0], dtype=np.float32)},)
    original = SimpleNamespace(labels=("a", "b", "c"), outputs=outputs)
    (row,) = answer(original, {"score_function": function, "top_k": 1}, [{"text_input": "x"}])
    assert row["predicts"].data == ("b", "c", "a")
    assert (row["predicts"].datatype, row["scores"].datatype) == ("BYTES", "FP32")
    assert row["predicts"].shape == row["scores"].shape == (3,)
    assert row["scores"].data == pytest.approx(scores, abs=1e-4)


def test_the_steps_take_what_the_one_before_gives(make_ingredients):
    steps = [make(make_ingredients()) for make in TASK.layouts["ensemble"]]
    assert [step.component for step in steps] == ["text_preprocessing", "model_onnx", "post_processing"]
    assert steps[0].outputs == steps[1].inputs and steps[1].outputs == steps[2].inputs
