import pytest

from utils.host.errors import UsageError
from utils.options.layout_choice import choose_layout
from utils.targets.engines import ENGINES
from utils.tasks import TASKS

TASK = TASKS["text-classification"]


def chosen(task=TASK, device="cpu", **texts):
    return choose_layout(texts, task, device, ENGINES["onnxruntime"])


@pytest.mark.parametrize(
    ("device", "texts", "layout"),
    [
        ("cpu", {}, "fused"),
        ("gpu", {}, "ensemble"),
        ("cpu", {"layout": "ensemble"}, "ensemble"),
        ("cpu", {"format": "torchscript"}, "ensemble"),
        ("cpu", {"format": "no such"}, "fused"),
        ("cpu", {"step_name": "model_onnx=graph"}, "ensemble"),
    ],
)
def test_the_best_of_those_that_go_with_all_else(device, texts, layout):
    assert chosen(device=device, **texts) == layout


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_task_has_one(task):
    assert chosen(task) in task.layouts


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (
            {"layout": "tree"},
            "--layout 'tree' is none of --task text-classification on --device cpu; choose from: fused",
        ),
        (
            {"layout": "fused", "format": "torchscript"},
            "--format torchscript does not go with --layout fused; leave it out, or choose --layout ensemble",
        ),
        (
            {"layout": "fused", "step_name": "model_onnx=graph"},
            "--step-name model_onnx=graph does not go with --layout fused; leave it out, or choose --layout ensemble",
        ),
        (
            {"task": TASKS["logits"], "step_name": "model_onnx=graph"},
            "--step-name model_onnx=graph does not go with --task logits; leave it out",
        ),
    ],
)
def test_what_does_not_go_together_is_reported(texts, words):
    with pytest.raises(UsageError, match=words):
        chosen(**texts)
