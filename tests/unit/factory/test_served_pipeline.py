from pathlib import Path

import pytest

from tests.small_specs import LABELS, settings_of, spec_of
from utils.convert.origins.origin import Models
from utils.convert.types import FrozenTokenizer
from utils.factory.base_images import docker_plan
from utils.factory.report import as_text, describe
from utils.factory.served_pipeline import served_pipeline
from utils.host.errors import UsageError
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec


@pytest.fixture
def graph():
    """As `predict` tells it."""
    return Graph(
        path=Path("model.onnx"),
        inputs=tuple(TensorSpec(name=name, dtype="INT64", dims=(-1,)) for name in ("input_ids", "attention_mask")),
        outputs=(TensorSpec(name="logits", dtype="FP32", dims=(3,)),),
    )


def planned(known, graph, *options, tokenizer=None):
    spec = spec_of(*options)
    return served_pipeline(spec, known, settings_of(spec, known), Models(name="topics", served=graph), tokenizer)


def test_the_pipeline_has_the_builds_tensors_names_and_settings(known, graph, tmp_path):
    frozen = FrozenTokenizer(file=tmp_path / "tokenizer.json", settings={"max_length": 7})
    pipeline = planned(known, graph, "--top-k", "2", "--device", "gpu", tokenizer=frozen)
    first, middle, last = pipeline.steps
    assert (pipeline.model_name, pipeline.max_batch_size, pipeline.layout) == ("topics", 8, "ensemble")
    assert [str(tensor) for tensor in pipeline.outputs] == ["predicts BYTES [2]", "scores FP32 [2]"]
    assert first.outputs == middle.inputs == graph.inputs
    assert first.documents == {"settings.json": {"max_length": 7}}
    assert middle.instance_kind == "KIND_GPU"
    assert last.documents["id2label.json"] == dict(zip("012", LABELS, strict=True))
    assert last.documents["settings.json"] == {"score_function": "softmax", "top_k": 2}


def test_the_pipeline_has_the_names_that_were_given(known, graph):
    names = ["--input-name", "text", "--output-name", "scores=p", "--step-name", "text_preprocessing=tokenizer"]
    pipeline = planned(known, graph, *names)
    assert [tensor.name for tensor in (*pipeline.inputs, *pipeline.outputs)] == ["text", "predicts", "p"]
    assert [step.model_name for step in pipeline.steps] == ["tokenizer", "model_onnx", "post_processing"]
    assert pipeline.steps[0].inputs == pipeline.inputs
    assert pipeline.steps[-1].outputs == pipeline.outputs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output-name", "label"], ["--output-name 'label'", "predicts, scores"]),
        (["--output-name", "logits=x"], ["--output-name 'logits'", "predicts, scores"]),
        (["--output-name", "predicts=scores"], ["--output-name", "two tensors"]),
        (["--input-name", "scores"], ["'scores'", "--input-name"]),
        (["--output-name", "scores=text_input"], ["'text_input'", "--output-name"]),
        (["--output-name", "scores=logits"], ["'logits'", "--output-name"]),
        (["--input-name", "input_ids"], ["'input_ids'", "--input-name"]),
        (["--output-name", "scores=attention_mask"], ["'attention_mask'", "--output-name"]),
        (["--top-k", "4"], ["--top-k 4", "at most 3"]),
    ],
)
def test_names_and_settings_that_cannot_be_are_reported_before_anything_slow(known, options, message):
    with pytest.raises(UsageError) as refusal:
        settings_of(spec_of(*options), known)
    assert all(words in str(refusal.value) for words in message), str(refusal.value)


def test_tuning_reaches_the_graph_and_stands_in_the_plan(known, graph, make_pipeline):
    options = ["--layout", "ensemble", "--threads", "2", "--instances", "3", "--batch-delay", "500"]
    _, middle, last = planned(known, graph, *options).steps
    assert (middle.threads, middle.instances, middle.batch_delay) == (2, 3, 500)
    assert (last.threads, last.instances, last.batch_delay) == (0, 1, 0)
    spec = spec_of(*options)
    plan = describe(spec, known, settings_of(spec, known), make_pipeline(), docker_plan(spec.target, None))
    assert plan["tuning"] == {"threads": 2, "instances": 3, "batch_delay": 500}
    assert "  instances: 3" in as_text(plan).splitlines()
