"""--eval-file is for tasks with right answers; tests/server/test_precision.py has the other refusals."""

import pytest

from tests.small_specs import refusal, spec_of

PLAIN = ["./model", "hf:user/tok@v1", "-"]


@pytest.mark.parametrize("task", ["logits", "sparse-embedding"])
def test_a_task_without_right_answers_takes_no_file_of_them(task):
    said = refusal([*PLAIN, "--task", task, "--eval-file", "./rows.tsv"])
    assert said.startswith(f"--eval-file is not for --task {task}, which has no right answers; choose ")
    assert said.endswith(
        "text-classification, text-pair-classification, text-ranking, token-classification, feature-extraction, "
        "question-answering, zero-shot-classification"
    )


@pytest.mark.parametrize(
    "argv", [["a.onnx", "-", "-", "--task", "onnx"], ["a.onnx", "-", "labels.json", "--task", "ocr"]]
)
def test_a_ready_graph_takes_no_file_of_right_answers(argv):
    assert "--eval-file" in refusal([*argv, "--eval-file", "./rows.tsv"])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_every_precision_takes_one(precision):
    assert spec_of("--precision", precision, "--eval-file", "./rows.tsv").target.reduction.eval_file.name == "rows.tsv"
