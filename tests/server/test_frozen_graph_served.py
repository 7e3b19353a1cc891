"""A frozen TensorFlow graph (.pb) as MODEL: converted, served, and its answers are TensorFlow's own."""

import shutil
import subprocess

import numpy as np
import pytest
import tritonclient.http

from tests.server.task_requests import build
from tests.unit.convert.origins.test_frozen_graph import INPUTS, MAKE, OUTPUTS
from utils.host import environment
from utils.host.build_tree import BUILD
from utils.host.environments import TENSORFLOW

NAME = "test-frozen"


@pytest.fixture
def folder(tmp_path):
    subprocess.run([environment.ensure(TENSORFLOW), "-c", MAKE, tmp_path], check=True, capture_output=True, timeout=300)
    yield tmp_path
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


def test_its_answers_are_tensorflows(folder, serve_repository):
    ends = ["--inputs", INPUTS[0], "--outputs", ",".join(OUTPUTS)]
    done = build(folder / "east.pb", "-", "-", NAME, "v1", 4, "--task", "onnx", "--no-verify", *ends)
    assert done.returncode == 0, done.stderr
    address = serve_repository(BUILD / NAME / "v1/model_repository").address
    expected = np.load(folder / "answers.npz")
    tensor = tritonclient.http.InferInput(INPUTS[0], list(expected["images"].shape), "FP32")
    tensor.set_data_from_numpy(expected["images"])
    with tritonclient.http.InferenceServerClient(address.http) as server:
        answer = server.infer(NAME, [tensor])
    for name, part in zip(OUTPUTS, ("scores", "geometry"), strict=True):
        np.testing.assert_allclose(answer.as_numpy(name), expected[part], rtol=1e-3, atol=1e-4)
