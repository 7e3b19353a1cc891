import json
import math

import numpy as np
import pytest

from utils.host.errors import BootProofError
from utils.proof.golden import TOLERANCE, GoldenAnswers, GoldenRow, TensorValue, as_plain, json_request, numbers, texts
from utils.proof.golden_file import read_golden, write_golden


def row(text, labels=("b", "a"), scores=(0.75, 0.25)):
    return GoldenRow(
        model="topics",
        batched=True,
        inputs={"text_input": texts([text])},
        outputs={"predicts": texts(labels), "scores": numbers("FP32", np.array(scores))},
    )


RANKED = GoldenAnswers(rows=(row("помогите"), row(""), row("two\nlines", scores=(1.0, 1e-9))), comparison="ranking")
TENSORS = GoldenAnswers(
    rows=(
        GoldenRow(
            model="detector",
            batched=False,
            inputs={
                "image": numbers("UINT8", np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)),
                "file": texts([b"\xff\xd8\x00JPEG", "text", '{"base64": "eA=="}']),
                "flag": numbers("BOOL", np.array([True, False])),
            },
            outputs={
                "boxes": numbers("FP32", np.array([[0.1, -2e30], [3, 4]], dtype=np.float32)),
                "none": numbers("FP32", np.zeros((0, 4))),
                "found": texts(['[{"label": "cat"}]'], (1, 1)),
            },
        ),
    ),
    comparison="tensors",
    tolerance=1e-2,
)


@pytest.mark.parametrize("golden", [RANKED, TENSORS], ids=["ranking", "tensors"])
def test_golden_answers_survive_writing_and_reading(tmp_path, golden):
    path = write_golden(golden, tmp_path)
    assert path == tmp_path / "golden.json"
    assert read_golden(path) == golden


def test_file_holds_texts_as_utf8_and_bytes_as_base64(tmp_path):
    assert "помогите" in write_golden(RANKED, tmp_path).read_text(encoding="utf-8")
    content = json.loads(write_golden(TENSORS, tmp_path).read_text(encoding="utf-8"))
    assert content["format"] == 2
    assert content["rows"][0]["inputs"]["file"]["data"] == [{"base64": "/9gASlBFRw=="}, "text", '{"base64": "eA=="}']


def test_value_without_json_form_is_not_written(tmp_path):
    broken = GoldenRow(model="m", batched=True, inputs={"x": texts([object()])}, outputs={"y": texts(["a"])})
    with pytest.raises(TypeError, match="object is not JSON"):
        write_golden(GoldenAnswers(rows=(broken,), comparison="tensors"), tmp_path)


def test_texts_have_one_dimension_by_default():
    assert texts(["a", "b"]) == TensorValue(datatype="BYTES", shape=(2,), data=("a", "b"))
    assert texts(["a", "b"], [2, 1]).shape == (2, 1)
    assert texts([]) == TensorValue(datatype="BYTES", shape=(0,), data=())


def test_numbers_are_flat_python_values():
    value = numbers("FP32", np.array([[1, 2], [3, 4]], dtype=np.float64))
    assert value == TensorValue(datatype="FP32", shape=(2, 2), data=(1.0, 2.0, 3.0, 4.0))
    assert all(type(each) is float for each in value.data)
    assert numbers("INT64", np.array(7)) == TensorValue(datatype="INT64", shape=(), data=(7,))


def test_plain_form_for_the_comparison():
    assert as_plain({"x": texts(["a"])}) == {"x": {"datatype": "BYTES", "shape": (1,), "data": ("a",)}}


def test_request_of_a_row_has_the_batch_dimension_of_the_model():
    assert json.loads(json_request(row("помогите"))) == {
        "inputs": [{"name": "text_input", "datatype": "BYTES", "shape": [1, 1], "data": ["помогите"]}]
    }
    assert "помогите" in json_request(row("помогите"))
    whole = GoldenRow(model="m", batched=False, inputs={"x": numbers("INT64", np.array([[1, 2]]))}, outputs={})
    assert json.loads(json_request(whole))["inputs"] == [
        {"name": "x", "datatype": "INT64", "shape": [1, 2], "data": [1, 2]}
    ]


def refusal(path):
    with pytest.raises(BootProofError) as caught:
        read_golden(path)
    assert caught.value.exit_code == 8
    assert repr(str(path)) in str(caught.value)
    assert "rebuild the tree" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"\xff", b"[]", b"3", b"null", b'"text"', b"{}", b"[" * 100_000, b'{"rows": 3}']
)
def test_missing_or_broken_file_does_not_skip_the_proof(tmp_path, content):
    path = tmp_path / "golden.json"
    if content is not None:
        path.write_bytes(content)
    refusal(path)


def output(name, **changes):
    """A change of one output tensor of the first row."""
    return lambda content: content["rows"][0]["outputs"][name].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(format=1),
        lambda content: content.pop("format"),
        lambda content: content.update(rows=[]),
        lambda content: content.update(rows=None),
        lambda content: content.update(rows={}),
        lambda content: content.update(rows=[3]),
        lambda content: content.pop("rows"),
        lambda content: content.update(comparison="any"),
        lambda content: content.update(comparison=None),
        lambda content: content.pop("comparison"),
        lambda content: content.update(comparison=["ranking"]),
        lambda content: content.update(tolerance="0.1"),
        lambda content: content.update(tolerance=None),
        lambda content: content.update(tolerance=0.0),
        lambda content: content.update(tolerance=1.0),
        lambda content: content.update(tolerance=-0.1),
        lambda content: content.update(tolerance=math.nan),
        lambda content: content.update(tolerance=True),
        lambda content: content["rows"][0].update(inputs={}),
        lambda content: content["rows"][0].update(outputs={}),
        lambda content: content["rows"][0].update(inputs=None),
        lambda content: content["rows"][0].update(outputs=[1]),
        lambda content: content["rows"][0].pop("outputs"),
        lambda content: content["rows"][0].pop("model"),
        lambda content: content["rows"][0].update(model=3),
        lambda content: content["rows"][0].update(batched=1),
        lambda content: content["rows"][0].pop("batched"),
        lambda content: content["rows"][0]["outputs"].pop("scores"),
        lambda content: content["rows"][0]["outputs"].pop("predicts"),
        lambda content: content["rows"][0]["outputs"].update(scores=3),
        lambda content: content["rows"][0]["inputs"]["text_input"].update(data=None),
        lambda content: content["rows"][0]["inputs"]["text_input"].update(data=[{"base64": "?"}]),
        lambda content: content["rows"][0]["inputs"]["text_input"].update(data=[{"base64": 3}]),
        lambda content: content["rows"][0]["inputs"]["text_input"].update(data=[{"hex": "00"}]),
        lambda content: content["rows"][0]["inputs"]["text_input"].update(shape=["x"]),
        output("scores", shape=None),
        output("scores", data=[]),
        output("scores", data=["x", "y"]),
        output("scores", data=[0.75, None]),
        output("scores", data=[0.75, math.nan]),
        output("scores", data=[0.75]),
        output("scores", data=[0.75, 0.2, 0.1]),
        output("predicts", data=[]),
        output("predicts", data=["b"]),
        output("scores", datatype="INT64"),
    ],
)
def test_content_that_proves_nothing_is_refused(tmp_path, change):
    path = write_golden(RANKED, tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    refusal(path)


@pytest.mark.parametrize("data", [[math.nan] * 4, [1.0, "x", 1.0, 1.0], [None] * 4, [1.0]])
def test_tensors_that_equal_nothing_are_refused(tmp_path, data):
    path = write_golden(TENSORS, tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["rows"][0]["outputs"]["boxes"]["data"] = data
    path.write_text(json.dumps(content), encoding="utf-8")
    assert "prove nothing" in refusal(path)


def test_default_tolerance():
    assert GoldenAnswers(rows=(), comparison="tensors").tolerance == TOLERANCE == 1e-3
