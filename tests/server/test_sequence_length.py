"""--sequence-length with tokens among the outputs: the three tasks load in Triton and answer as the originals.

The graph leaves the number of tokens free, and the ONNX Runtime backend loads no config that fixes it in an output. The
backend is the stand-in of deploy/pypi_triton, which compares as the C++ one does.
"""

import shutil

import pytest

from tests import tiny_models
from tests.server.task_requests import build
from utils.host.build_tree import BUILD
from utils.repository.check import parse_config

NAME = "test-sequence-length"
MODELS = {
    "token-classification": (lambda folder: tiny_models.as_token_classification(folder, tiny_models.bert), ()),
    "question-answering": (lambda folder: tiny_models.as_question_answering(folder, tiny_models.bert), ()),
    "feature-extraction": (tiny_models.bert, ("--layout", "ensemble")),
}
OUTPUTS = {
    "token-classification": {"logits": [-1, 6]},
    "question-answering": {"start_logits": [-1], "end_logits": [-1]},
    "feature-extraction": {"last_hidden_state": [-1, 32]},
}


@pytest.mark.long("feature-extraction")
@pytest.mark.parametrize("task", MODELS)
def test_every_text_has_64_tokens(task, tmp_path):
    make, options = MODELS[task]
    model = make(tmp_path / "model")
    name = f"{NAME}-{task}"
    try:
        done = build(model, model, "-", name, "v1", 4, "--task", task, "--sequence-length", 64, *options)
        assert done.returncode == 0, done.stderr
        assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
        config = parse_config(BUILD / name / "v1/model_repository/model_onnx/config.pbtxt")
        assert {tuple(tensor.dims) for tensor in config.input} == {(64,)}
        assert {tensor.name: list(tensor.dims) for tensor in config.output} == OUTPUTS[task]
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)
