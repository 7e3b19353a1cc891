"""The rules for comparing a served answer with the golden one; that of sparse embeddings: test_sparse_comparison.py."""

import json
import math
import subprocess
import sys

import pytest

from deploy.supervisor.comparison import COMPARISONS, difference
from utils import ROOT

NAN, INF = math.nan, math.inf


def tensor(datatype, data, shape=None):
    return {"datatype": datatype, "shape": [len(data)] if shape is None else shape, "data": list(data)}


def floats(*data, shape=None):
    return {"x": tensor("FP32", data, shape)}


def documents(*values):
    return {"x": tensor("BYTES", [value if isinstance(value, str) else json.dumps(value) for value in values])}


def tensors(expected, answer, tolerance=1e-3):
    return difference(expected, answer, comparison="tensors", tolerance=tolerance)


@pytest.mark.parametrize(
    ("expected", "answer", "size"),
    [
        (floats(0.5, -2.0), floats(0.5, -2.0), 0.0),
        (floats(0.5, 0.25), floats(0.5005, 0.25), 5e-4),
        (floats(), floats(), 0.0),
        (floats(1.0, INF, -INF), floats(1.0, INF, -INF), 0.0),
        (floats(1000.0, 0.5), floats(1000.5, 0.5), 0.5),
        (floats(1, 2), floats(1, 2.0), 0.0),
        (floats(1.0, 2.0, shape=[1, 2]), floats(1.0, 2.0, shape=(1, 2)), 0.0),
        ({"x": tensor("INT64", [3, -1])}, {"x": tensor("INT64", [3, -1])}, 0.0),
        ({"x": tensor("BOOL", [True])}, {"x": tensor("BOOL", [True])}, 0.0),
        ({"x": tensor("BYTES", ["помощь", b"\xff", ""])}, {"x": tensor("BYTES", ["помощь", b"\xff", ""])}, 0.0),
        ({**floats(0.5), "y": tensor("INT8", [1])}, {"y": tensor("INT8", [1]), **floats(0.5)}, 0.0),
        ({**floats(0.5), "y": tensor("FP64", [1.0])}, {"y": tensor("FP64", [1.0005]), **floats(0.5001)}, 5e-4),
        (floats(0.5), {**floats(0.5), "more": tensor("INT8", [1])}, 0.0),
    ],
)
def test_the_difference_of_equal_tensors(expected, answer, size):
    assert tensors(expected, answer) == pytest.approx(size, abs=1e-9)


@pytest.mark.parametrize("datatype", ["FP16", "BF16", "FP32", "FP64"])
def test_floats_of_each_size_have_a_tolerance(datatype):
    assert tensors({"x": tensor(datatype, [0.5])}, {"x": tensor(datatype, [0.5009])}) > 0
    with pytest.raises(ValueError, match=r"x\[0\] is 0.502 where 0.5 is right"):
        tensors({"x": tensor(datatype, [0.5])}, {"x": tensor(datatype, [0.502])})


@pytest.mark.parametrize("datatype", ["INT8", "INT64", "UINT8", "BOOL", "BYTES"])
def test_other_types_have_no_tolerance(datatype):
    with pytest.raises(ValueError, match=r"x\[0\] is 1.0005 where 1 is right"):
        tensors({"x": tensor(datatype, [1])}, {"x": tensor(datatype, [1.0005])})


@pytest.mark.parametrize(
    ("expected", "answer", "message"),
    [
        (floats(0.5), {}, "the answer lacks x"),
        ({**floats(0.5), "b": tensor("INT8", [1])}, {"c": tensor("INT8", [1])}, "the answer lacks b, x"),
        (floats(0.5), floats(0.5012), "x[0] is 0.5012 where 0.5 is right"),
        (floats(0.1, 0.2), floats(0.2, 0.1), "x[0] is 0.2"),
        (floats(1000.0, 0.5), floats(1001.5, 0.5), "x[0] is 1001.5"),
        (floats(0.5), floats(NAN), "x[0] is nan where 0.5 is right"),
        (floats(0.5, 0.25, 0.1), floats(0.5, NAN, 0.1), "x[1] is nan"),
        (floats(0.5, 0.25, 0.1), floats(0.5, 0.25, NAN), "x[2] is nan"),
        (floats(NAN), floats(NAN), "x[0] is nan where nan is right"),
        (floats(0.5), floats(INF), "x[0] is inf"),
        (floats(INF), floats(0.5), "x[0] is 0.5 where inf is right"),
        (floats(INF), floats(-INF), "x[0] is -inf where inf is right"),
        (floats(0.5), floats(0.5, 0.5), "x has shape [2] where [1] is right"),
        (floats(0.5, 0.5), floats(0.5), "x has shape [1] where [2] is right"),
        (floats(0.5), floats(), "x has shape [0]"),
        (floats(1.0, 2.0, shape=[1, 2]), floats(1.0, 2.0, shape=[2, 1]), "x has shape [2, 1] where [1, 2]"),
        (floats(1.0, 2.0), floats(1.0, shape=[2]), "x has shape"),
        (floats(1.0), floats(1.0, shape=[1, 1]), "x has shape [1, 1]"),
        (floats(0.5), floats(None), "x[0] is None where a number is right"),
        (floats(0.5), floats("0.5"), "x[0] is '0.5' where a number is right"),
        (floats(1.0), floats(True), "x[0] is True where a number is right"),
        ({"x": tensor("INT64", [3, 4])}, {"x": tensor("INT64", [3, 5])}, "x[1] is 5 where 4 is right"),
        ({"x": tensor("BYTES", ["a"])}, {"x": tensor("BYTES", ["b"])}, "x[0] is 'b' where 'a' is right"),
        ({"x": tensor("BYTES", ["a"])}, {"x": tensor("BYTES", [b"a"])}, "x[0] is b'a' where 'a' is right"),
        ({"x": tensor("BYTES", ["0.5"])}, {"x": tensor("BYTES", ["0.5001"])}, "x[0] is '0.5001'"),
        ({"x": tensor("BYTES", ["a" * 200])}, {"x": tensor("BYTES", ["b" * 200])}, "'bbb"),
    ],
)
def test_tensors_that_differ_are_named_with_place_and_both_values(expected, answer, message):
    with pytest.raises(ValueError) as refusal:
        tensors(expected, answer)
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 250


ENTITIES = [{"entity": "PER", "score": 0.75, "start": 0, "word": "Иван"}, {"entity": "LOC", "score": 0.5, "start": 7}]


@pytest.mark.parametrize(
    ("expected", "answer", "size"),
    [
        (documents(ENTITIES), documents(ENTITIES), 0.0),
        (documents({"a": 1, "b": 0.5}), documents('{"b":0.5004,   "a": 1}'), 4e-4),
        (documents('["\\u00e9"]'), documents('["é"]'), 0.0),
        (documents([]), documents("[ ]"), 0.0),
        (documents({"a": None, "b": True, "c": [[]]}), documents('{"a":null,"b":true,"c":[ [] ]}'), 0.0),
        (documents({"a": 1.0}), documents('{"a": 1}'), 0.0),
        (documents({"a": 2000.0}), documents({"a": 2001.0}), 1.0),
        (documents({"a": 0.5}, [0.25]), documents({"a": 0.5001}, [0.2503]), 3e-4),
    ],
)
def test_documents_are_compared_value_by_value(expected, answer, size):
    assert tensors(expected, answer) == pytest.approx(size, abs=1e-9)


@pytest.mark.parametrize(
    ("expected", "answer", "message"),
    [
        ({"a": 0.5}, {"a": 0.502}, "x[0].a"),
        ({"a": 0.5}, '{"a": NaN}', "x[0].a"),
        ({"a": 0.5}, {"a": "0.5"}, "x[0].a"),
        ({"a": 1.0}, {"a": True}, "x[0].a"),
        ({"a": 0.5}, {"a": None}, "x[0].a"),
        ({"a": True}, {"a": 1}, "x[0].a"),
        ({"a": 1}, {"a": True}, "x[0].a"),
        ({"a": 0}, {"a": False}, "x[0].a"),
        ({"a": 3}, {"a": 4}, "x[0].a is 4 where 3 is right"),
        ({"a": 3}, {"a": 3.0005}, "x[0].a"),
        ({"a": 0.5}, {"b": 0.5}, "x[0]"),
        ({"a": 0.5}, {"a": 0.5, "b": 1}, "x[0]"),
        ({"a": 0.5, "b": 1}, {"a": 0.5}, "x[0]"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "x[0].a.b[1] is 3 where 2 is right"),
        ([1, 2], [2, 1], "x[0][0]"),
        ([1, 2], [1], "x[0]"),
        ([1], {"0": 1}, "x[0]"),
        ([], {}, "x[0]"),
        (ENTITIES, [ENTITIES[0]], "x[0]"),
        (ENTITIES, [{**ENTITIES[0], "word": "иван"}, ENTITIES[1]], "x[0][0].word is 'иван' where 'Иван' is right"),
        ({"a": 0.5}, '{"a": 0.5', "x[0]"),
        ({"a": 0.5}, "", "x[0]"),
        ("[not json", "[nor this", "x[0] is '[nor this' where '[not json' is right"),
    ],
)
def test_documents_that_differ_are_named_with_the_place_in_them(expected, answer, message):
    with pytest.raises(ValueError) as refusal:
        tensors(documents(expected), documents(answer))
    assert message in str(refusal.value)
    assert "is right" in str(refusal.value)


def test_a_too_deeply_nested_document_is_a_wrong_answer():
    with pytest.raises(ValueError, match=r"x\[0\]"):
        tensors(documents([1]), documents("[" * 100_000 + "]" * 100_000))


@pytest.mark.parametrize("place", [0, 79, 200])
def test_long_texts_are_shown_around_their_first_difference(place):
    right = "word " * 60
    wrong = right[:place] + "Ω" + right[place + 1 :]
    for expected, answer in ((documents(right), documents(wrong)), (documents([right]), documents([wrong]))):
        with pytest.raises(ValueError, match="is right") as refusal:
            tensors(expected, answer)
        shown, shown_expected = str(refusal.value).split(" where ")
        assert "Ω" in shown and "Ω" not in shown_expected and len(str(refusal.value)) < 250


def test_the_rules_are_known_by_name():
    assert set(COMPARISONS) == {"tensors", "ranking", "sparse"}


def test_it_runs_by_itself():
    """The image has this file without the rest of the project."""
    code = (
        "import runpy, sys\n"
        f"module = runpy.run_path({str(ROOT / 'deploy/supervisor/comparison.py')!r})\n"
        "x = {'x': {'datatype': 'FP32', 'shape': [1], 'data': [0.5]}}\n"
        "print(module['difference'](x, x, comparison='tensors', tolerance=1e-3))\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('utils', 'numpy')]\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0.0\n"), done.stderr
