"""The proof of tensors of several models: which rows share a request, and that every wrong tensor fails."""

import math
from dataclasses import replace

import numpy as np
import pytest

from utils.host.errors import BootProofError
from utils.proof import verify
from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, numbers, texts
from utils.proof.golden_file import write_golden
from utils.proof.verify import prove
from utils.triton.address import ServerAddress

NOWHERE = ServerAddress(http="127.0.0.1:1", grpc="127.0.0.1:1")
PROTOCOLS = ("_infer_http", "_infer_json", "_infer_grpc")
IMAGE = numbers("UINT8", np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
IDS = numbers("INT64", np.array([3, 1], dtype=np.int64))


def rows_of_tensors():
    """Golden rows for the comparison "tensors", of the served model and of others."""
    answers = {"vector": numbers("FP32", np.array([0.5, -2.0]))}
    batched = {"batched": True, "outputs": answers}
    return (
        GoldenRow(model="topics", inputs={"image": IMAGE, "ids": IDS}, **batched),
        GoldenRow(model="topics", inputs={"image": IMAGE, "ids": numbers("INT64", np.array([7]))}, **batched),
        GoldenRow(model="topics", inputs={"image": IMAGE, "ids": IDS}, **batched),
        GoldenRow(model="whole", batched=False, inputs={"ids": IDS}, outputs=answers),
        GoldenRow(model="other", inputs={"image": IMAGE, "ids": IDS}, **batched),
    )


@pytest.fixture
def prove_tensors(monkeypatch, tmp_path, make_pipeline):
    """`prove_tensors(rows, vector)`: the requests that were sent; over every protocol each row's answer is `vector`."""

    def run(rows, vector=(0.5, -2.0), dims=(2,)):
        seen = {function: [] for function in PROTOCOLS}

        def answering(function):
            def infer(_address, model, inputs, _parameters):
                seen[function].append((model, {name: each.shape for name, each in inputs.items()}))
                if model == "whole":
                    return {"vector": TensorValue(datatype="FP32", shape=(len(vector),), data=vector)}
                count = next(iter(inputs.values())).shape[0]
                return {"vector": TensorValue(datatype="FP32", shape=(count, len(vector)), data=vector * count)}

            return infer

        for function in PROTOCOLS:
            monkeypatch.setattr(verify, function, answering(function))
        outputs = tuple(replace(each, name="vector", dims=dims) for each in make_pipeline().outputs[-1:])
        pipeline = replace(make_pipeline(model_name="topics", max_batch_size=8), outputs=outputs)
        prove(NOWHERE, write_golden(GoldenAnswers(rows=rows, comparison="tensors"), tmp_path), pipeline)
        return seen

    return run


def test_rows_of_one_model_and_equal_shapes_share_a_request(prove_tensors):
    alone = {"image": (1, 2, 2, 3), "ids": (1, 2)}
    shorter = {"image": (1, 2, 2, 3), "ids": (1, 1)}
    for requests in prove_tensors(rows_of_tensors()).values():
        assert requests[:5] == [
            ("topics", alone), ("topics", shorter), ("topics", alone), ("whole", {"ids": (2,)}), ("other", alone),
        ]  # fmt: skip
        assert [model for model, _ in requests].count("whole") == 1
        for model, width in (("topics", 2), ("topics", 1), ("other", 2)):
            shapes = [shapes["ids"] for name, shapes in requests if name == model]
            assert {rows for rows, ids in shapes if ids == width} == {1, 2, 3, 8}


@pytest.mark.parametrize("vector", [(0.5, -2.01), (0.5,), (0.5, -2.0, 0.0), (0.5, math.nan), (0.5, None), (0.5, "x")])
@pytest.mark.parametrize("row", range(5))
def test_wrong_tensor_of_any_row_fails(prove_tensors, row, vector):
    with pytest.raises(BootProofError, match=r"reference model's: vector"):
        prove_tensors(rows_of_tensors()[row : row + 1], vector)


def test_answer_must_have_the_shape_of_the_pipeline(prove_tensors):
    prove_tensors(rows_of_tensors()[:1], dims=(-1,))
    with pytest.raises(BootProofError, match=r"vector has shape \[2\].* \[3\]"):
        prove_tensors(rows_of_tensors()[:1], dims=(3,))


def test_bytes_that_are_not_utf8_are_not_sent_as_json(prove_tensors):
    row = GoldenRow(
        model="topics",
        batched=True,
        inputs={"image": texts([b"\xff\xd8"])},
        outputs={"vector": numbers("FP32", np.array([0.5, -2.0]))},
    )
    seen = prove_tensors((row,))
    assert seen["_infer_json"] == []
    assert [each["image"][0] for _, each in seen["_infer_http"]] == [1, 1, 2, 3, 8]
    assert seen["_infer_grpc"] == seen["_infer_http"]
