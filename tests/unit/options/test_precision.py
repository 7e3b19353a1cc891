"""--eval-file is for tasks with right answers, --calibration-file for int8."""

import pytest

from tests.small_specs import refusal, spec_of

PLAIN = ["./model", "hf:user/tok@v1", "-"]


@pytest.mark.parametrize("task", ["logits", "sparse-embedding"])
def test_a_task_without_right_answers_takes_no_file_of_them(task):
    message = refusal([*PLAIN, "--task", task, "--eval-file", "./rows.tsv"])
    assert message.startswith(f"--eval-file is not for --task {task}, which has no right answers; choose ")
    assert message.endswith(
        "text-classification, text-pair-classification, text-ranking, token-classification, feature-extraction, "
        "question-answering, zero-shot-classification"
    )


@pytest.mark.parametrize(
    "argv", [["a.onnx", "-", "-", "--task", "onnx"], ["a.onnx", "-", "labels.json", "--task", "ocr"]]
)
def test_a_ready_graph_takes_no_file_of_right_answers(argv):
    assert "--eval-file" in refusal([*argv, "--eval-file", "./rows.tsv"])


def test_only_int8_is_calibrated():
    reduction = spec_of("--precision", "int8", "--calibration-file", "./texts.tsv").target.reduction
    assert reduction.calibration_file.name == "texts.tsv"
    for options in ([], ["--engine", "openvino", "--precision", "bf16"]):
        assert "--calibration-file is for --precision int8, not for " in refusal(
            [*PLAIN, *options, "--calibration-file", "./texts.tsv"]
        )


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_every_precision_takes_one(precision):
    assert spec_of("--precision", precision, "--eval-file", "./rows.tsv").target.reduction.eval_file.name == "rows.tsv"
