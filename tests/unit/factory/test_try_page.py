"""try.json: the tensors under their served names, the labels, the choices of a request and readable examples."""

import json

import pytest

from utils.factory.try_page import LONGEST_EXAMPLE, MOST_LABELS, write_try_page
from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, texts
from utils.tasks import TASKS

ANSWER = {"predicts": texts(["a"])}


def rows(*values, model="topics", batched=True, name="text_input", **parameters):
    return tuple(
        GoldenRow(model=model, batched=batched, inputs={name: texts([each])}, outputs=ANSWER, parameters=parameters)
        for each in values
    )


@pytest.fixture
def written(make_pipeline, tmp_path):
    def write(golden_rows, settings=None, labels=("a", "b"), task="text-classification", **changes):
        pipeline = make_pipeline(model_name="topics", **changes)
        golden = GoldenAnswers(rows=golden_rows, comparison="ranking")
        write_try_page(TASKS[task], settings or {"score_function": "softmax"}, labels, pipeline, golden, tmp_path)
        return json.loads((tmp_path / "try.json").read_text())

    return write


def test_the_model_is_described_by_its_served_names(written):
    found = written(rows("some text"), max_batch_size=7)
    assert (found["task"], found["model"], found["max_batch_size"]) == ("text-classification", "topics", 7)
    assert found["inputs"] == [{"name": "text_input", "datatype": "BYTES", "dims": [1]}]
    assert [each["name"] for each in found["outputs"]] == ["predicts", "scores"]
    assert found["settings"] == {"score_function": "softmax"}
    assert found["labels"] == {"count": 2, "texts": ["a", "b"]}
    assert found["parameters"] == {}
    assert found["tokens"] == []


def test_a_model_without_batches(written):
    assert written(rows("some text", batched=False))["max_batch_size"] == 0


def test_many_labels_are_counted(written):
    labels = tuple(map(str, range(5000)))
    assert written(rows("a"), labels=labels)["labels"] == {"count": 5000, "texts": list(labels[:MOST_LABELS])}


def test_examples_are_readable_requests_of_the_served_model(written):
    golden = (
        *rows("word " * 700, "", "tab\tnewline\n", "readable", "Привет"),
        *rows("with a parameter", prompt_name="query"),
        *rows("of another model", model="beside"),
    )
    found = [each["inputs"]["text_input"]["data"] for each in written(golden)["examples"]]
    assert found == [["readable"], ["Привет"]]


def test_one_example_that_nobody_can_read_is_better_than_none(written):
    assert [each["inputs"]["text_input"]["data"] for each in written(rows("", "\n"))["examples"]] == [[""]]


def test_a_request_that_is_too_long_for_the_page_is_left_out(written):
    assert written(rows("a" * LONGEST_EXAMPLE))["examples"] == []


def test_bytes_of_a_picture_are_base64(written):
    golden = GoldenRow(model="topics", batched=False, inputs={"image": texts([b"\x89PNG"])}, outputs=ANSWER)
    assert written((golden,))["examples"][0]["inputs"]["image"]["data"] == [{"base64": "iVBORw=="}]


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ({"prompts": {"query": "q: ", "document": ""}, "default_prompt": None, "dimensions": (4, 2)},
         {"prompt_name": ["", "query", "document"], "dimensions": [4, 2]}),
        ({"prompts": {"query": "q: ", "document": ""}, "default_prompt": "document", "dimensions": (4,)},
         {"prompt_name": ["document", "query"]}),
    ],
)  # fmt: skip
def test_the_choices_of_a_request_begin_with_the_usual_one(written, settings, parameters):
    assert written(rows("a"), settings=settings)["parameters"] == parameters


def test_numbers_are_tensors_with_their_shape(written):
    ids = TensorValue(datatype="INT64", shape=(2,), data=(1, 2))
    golden = GoldenRow(model="topics", batched=True, inputs={"input_ids": ids}, outputs=ANSWER)
    found = written((golden,))["examples"][0]["inputs"]
    assert found == {"input_ids": {"datatype": "INT64", "shape": [2], "data": [1, 2]}}
