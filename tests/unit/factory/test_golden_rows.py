"""golden.json under the names, the model and the versions that are served."""

import pytest

from tests.small_specs import spec_of
from utils.convert.origins.origin import Models
from utils.convert.types import FrozenTokenizer, GoldenPair, ServedGraph
from utils.factory.golden_rows import golden_answers
from utils.proof.golden import RequiredAgreement, TensorValue, texts
from utils.repository.pipeline import Graph
from utils.tasks import TASKS

SETTINGS = {"score_function": "none", "top_k": 1}
SCORES = TensorValue(datatype="FP32", shape=(3,), data=(2.0, 1.0, 0.0))
PAIR = GoldenPair(
    inputs={"text_input": texts(["one"])},
    outputs={"predicts": texts(["b", "c", "a"]), "scores": SCORES},
    reference={"predicts": texts(["c", "b", "a"]), "scores": SCORES},
)


@pytest.fixture
def golden(make_pipeline, tmp_path):
    """The golden answers of a text classification with these options, and of a graph beside it if `added`."""

    def make(*options, added=()):
        spec = spec_of(*options)
        graph = Graph(path=tmp_path, inputs=(), outputs=())
        tokenizer = FrozenTokenizer(file=tmp_path, settings={})
        served = ServedGraph(graph=graph, golden=(PAIR,), tolerance=1e-2, tokenizer=tokenizer)
        models = Models(name="topics", served=served, added=dict(added))
        pipeline = make_pipeline(model_name="topics")
        return golden_answers(spec.source.task, spec.serving.names, SETTINGS, ("a",), models, pipeline, spec.target)

    return make


def test_the_rows_are_those_of_the_served_model(golden):
    answers = golden()
    assert (answers.comparison, answers.tolerance) == ("ranking", 1e-2)
    (row,) = answers.rows
    assert (row.model, row.batched, row.inputs, row.outputs) == ("topics", True, PAIR.inputs, PAIR.outputs)


def test_the_rows_have_the_names_they_are_served_by(golden):
    (row,) = golden("--input-name", "text", "--output-name", "scores=predicts,predicts=label").rows
    assert list(row.inputs) == ["text"]
    assert row.outputs == {"label": PAIR.outputs["predicts"], "predicts": SCORES}


def test_a_reduced_precision_on_a_gpu_is_measured_by_the_server(golden):
    """With the references under the served names; a build of one precision on its own device measured it itself."""
    assert golden().agreement is None
    assert golden("--precision", "int8").agreement is None
    answers = golden(
        *("--device", "gpu", "--precision", "fp16", "--min-agreement", "0.9", "--output-name", "predicts=label")
    )
    assert answers.agreement == RequiredAgreement(rule="none", least=0.9, precision="fp16")
    assert answers.rows[0].reference == {"label": texts(["c", "b", "a"]), "scores": SCORES}


def test_a_graph_beside_it_keeps_its_own_names(golden, tmp_path):
    graph = Graph(path=tmp_path, inputs=(), outputs=(), batched=False)
    pair = GoldenPair(inputs={"text_input": texts(["x"])}, outputs={"scores": SCORES})
    served = ServedGraph(graph=graph, golden=(pair,))
    answers = golden("--input-name", "text", added={"beside": served}.items())
    row = answers.rows[1]
    assert (row.model, row.batched, list(row.inputs)) == ("beside", False, ["text_input"])
    assert answers.tolerance == 1e-2, "the widest of all"


def test_a_bare_graph_has_the_names_of_its_format(tmp_path, make_pipeline):
    """torchscript names tensors by position: the config's names, not the graph's."""
    from dataclasses import replace

    from utils.repository.tensors import TensorSpec

    task, spec = TASKS["logits"], spec_of()
    graph = Graph(path=tmp_path, inputs=(), outputs=(TensorSpec(name="logits", dtype="FP32", dims=(3,)),))
    tokenizer = FrozenTokenizer(file=tmp_path, settings={})
    pair = GoldenPair(inputs={"input_ids": SCORES}, outputs={"logits": SCORES})
    served = Models(name="m", served=ServedGraph(graph=graph, golden=(pair,), tokenizer=tokenizer))
    pipeline = make_pipeline(model_name="m")
    names = {"input__0": "input_ids", "output__0": "logits"}
    pipeline = replace(pipeline, steps=(replace(pipeline.steps[0], stands_for=names), *pipeline.steps[1:]))
    (row,) = golden_answers(task, spec.serving.names, {}, (), served, pipeline, spec.target).rows
    assert (list(row.inputs), list(row.outputs)) == (["input__0"], ["output__0"])
