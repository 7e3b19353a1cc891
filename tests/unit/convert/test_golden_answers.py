from dataclasses import replace
from types import SimpleNamespace

import pytest

from utils.convert.golden_answers import golden_answers, request
from utils.options.build_spec import parse_arguments
from utils.proof.golden import TensorValue, texts

LABELS = ("a", "b", "c")
SETTINGS = {"score_function": "none", "top_k": 1}


@pytest.fixture
def conversion():
    """Of two golden texts, each with its answer, numbers in the place of labels."""
    ranked = ((("1", "2", "0"), (2.0, 1.0, 0.0)), (("0", "1", "2"), (3.0, 2.0, 1.0)))
    return SimpleNamespace(
        examples=({"text_input": "one"}, {"text_input": "помощь"}),
        answers=tuple(
            {"predicts": texts(labels), "scores": TensorValue(datatype="FP32", shape=(3,), data=scores)}
            for labels, scores in ranked
        ),
        graph=None,
        tolerance=1e-2,
    )


def spec_of(*options):
    return parse_arguments(["./model", "./model", "-", "topics", "v1", "8", *options])


def test_a_row_for_each_example(conversion, make_pipeline):
    golden = golden_answers(spec_of(), SETTINGS, conversion, make_pipeline(model_name="topics"), LABELS)
    assert (golden.comparison, golden.tolerance) == ("ranking", 1e-2)
    assert [row.inputs for row in golden.rows] == [{"text_input": texts(["one"])}, {"text_input": texts(["помощь"])}]
    assert [row.outputs["predicts"].data for row in golden.rows] == [("b", "c", "a"), ("a", "b", "c")]
    assert [row.outputs["scores"].data for row in golden.rows] == [(2.0, 1.0, 0.0), (3.0, 2.0, 1.0)]
    assert {(row.model, row.batched) for row in golden.rows} == {("topics", True)}


def test_a_model_without_batches_is_asked_without(conversion, make_pipeline):
    pipeline = replace(make_pipeline(), max_batch_size=0)
    assert not golden_answers(spec_of(), SETTINGS, conversion, pipeline, LABELS).rows[0].batched


def test_the_rows_have_the_names_they_are_served_by(conversion, make_pipeline):
    spec = spec_of("--input-name", "text", "--output-name", "scores=predicts,predicts=label")
    row = golden_answers(spec, SETTINGS, conversion, make_pipeline(), LABELS).rows[0]
    assert list(row.inputs) == ["text"]
    assert row.outputs["label"].data == ("b", "c", "a")
    assert row.outputs["predicts"].data == (2.0, 1.0, 0.0)


def test_an_answer_is_never_missing(conversion, make_pipeline):
    conversion.answers = conversion.answers[:1]
    with pytest.raises(ValueError, match="shorter"):
        golden_answers(spec_of(), SETTINGS, conversion, make_pipeline(), LABELS)


def test_an_example_is_the_tensors_of_one_row():
    assert request({"text_input": "Hi", "candidates": ["a", "b", "c"]}) == {
        "text_input": TensorValue(datatype="BYTES", shape=(1,), data=("Hi",)),
        "candidates": TensorValue(datatype="BYTES", shape=(3,), data=("a", "b", "c")),
    }


@pytest.mark.parametrize(("labels", "length", "kept"), [(3, 5, 20), (4000, 13, 20), (12_000, 20, 7), (20_000, 1000, 2)])
def test_answers_of_many_labels_are_fewer(make_pipeline, labels, length, kept):
    """The file they go to is read at every start and health check of an image."""
    names = tuple(str(number).rjust(length, "x") for number in range(labels))
    scores = TensorValue(datatype="FP32", shape=(labels,), data=(0.5,) * labels)
    answer = {"predicts": texts(list(map(str, range(labels)))), "scores": scores}
    examples = tuple({"text_input": str(number)} for number in range(20))
    conversion = SimpleNamespace(examples=examples, answers=(answer,) * 20, graph=None, tolerance=1e-3)
    golden = golden_answers(spec_of(), SETTINGS, conversion, make_pipeline(model_name="topics"), names)
    asked = [int(row.inputs["text_input"].data[0]) for row in golden.rows]
    assert len(asked) == kept
    assert asked == sorted(set(asked))
