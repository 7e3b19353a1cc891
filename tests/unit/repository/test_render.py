"""Rendered configs, parsed as the protobuf message that Triton uses."""

from dataclasses import replace

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from utils.host.errors import RenderError
from utils.repository import render
from utils.repository.tensors import TensorSpec

AWKWARD_NAMES = ('logits"quoted"', "back\\slash", "two\nlines", "tab\there", "логиты", "a{b}c", "{{ x }}", "# no note")


def parse(text):
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_python_step(make_pipeline):
    pipeline = make_pipeline(max_batch_size=16, dtype="INT32")
    config = parse(render.render_step(pipeline, pipeline.steps[0]))
    assert (config.name, config.backend, config.max_batch_size) == ("text_preprocessing", "python", 16)
    assert [(each.name, each.data_type, list(each.dims)) for each in config.input] == [
        ("text_input", model_config_pb2.TYPE_STRING, [1])
    ]
    assert [(each.name, each.data_type, list(each.dims)) for each in config.output] == [
        (name, model_config_pb2.TYPE_INT32, [-1]) for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    assert [group.kind for group in config.instance_group] == [model_config_pb2.ModelInstanceGroup.KIND_CPU]


@pytest.mark.parametrize("kind", ["KIND_CPU", "KIND_GPU"])
def test_graph_step(make_pipeline, kind):
    pipeline = make_pipeline(instance_kind=kind, labels=("a", "b", "c", "d"))
    config = parse(render.render_step(pipeline, pipeline.steps[1]))
    assert (config.name, config.backend, config.default_model_filename) == ("model_onnx", "onnxruntime", "model.onnx")
    assert [(each.name, list(each.dims)) for each in config.output] == [("logits", [4])]
    assert [group.kind for group in config.instance_group] == [model_config_pb2.ModelInstanceGroup.Kind.Value(kind)]
    assert config.HasField("dynamic_batching")


def test_ensemble_maps_every_tensor_of_every_step(make_pipeline):
    pipeline = make_pipeline(model_name="topics", max_batch_size=8, top_k=3)
    config = parse(render.render_ensemble(pipeline))
    assert (config.name, config.platform, config.max_batch_size) == ("topics", "ensemble", 8)
    assert [(each.name, each.data_type, list(each.dims)) for each in config.output] == [
        ("predicts", model_config_pb2.TYPE_STRING, [3]),
        ("scores", model_config_pb2.TYPE_FP32, [3]),
    ]
    ids = {name: name for name in ("input_ids", "attention_mask", "token_type_ids")}
    assert [
        (step.model_name, step.model_version, dict(step.input_map), dict(step.output_map))
        for step in config.ensemble_scheduling.step
    ] == [
        ("text_preprocessing", -1, {"text_input": "text_input"}, ids),
        ("model_onnx", -1, ids, {"logits": "logits"}),
        ("post_processing", -1, {"logits": "logits"}, {"predicts": "predicts", "scores": "scores"}),
    ]


@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_names_that_need_quoting_are_unchanged(make_pipeline, name):
    pipeline = make_pipeline()
    tensor = TensorSpec(name=name, dtype="FP32", dims=(3,))
    step = replace(pipeline.steps[2], inputs=(tensor,))
    assert parse(render.render_step(pipeline, step)).input[0].name == name
    ensemble = parse(render.render_ensemble(replace(pipeline, steps=(step,))))
    assert dict(ensemble.ensemble_scheduling.step[0].input_map) == {name: name}


def test_first_line_marks_the_file_as_generated(make_pipeline):
    pipeline = make_pipeline()
    for text in (render.render_ensemble(pipeline), render.render_step(pipeline, pipeline.steps[0])):
        assert text.splitlines()[0] == f"# {render.GENERATED}"
        assert text.endswith("\n")


@pytest.fixture
def template(tmp_path, monkeypatch):
    """`template(text)` replaces the ensemble's template by `text`."""

    def write(text):
        (tmp_path / "ensemble").mkdir()
        (tmp_path / "ensemble" / render.TEMPLATE).write_text(text, encoding="utf-8")
        monkeypatch.setattr(render, "COMPONENTS_ROOT", tmp_path)

    return write


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name: {{ nothing }}", "'nothing' is undefined"),
        ("name: {{ pipeline.modle_name }}", "modle_name"),
        ("{% if nothing %}a{% endif %}", "'nothing' is undefined"),
        ("{% for each in nothing %}a{% endfor %}", "'nothing' is undefined"),
        ("{{ pipeline.model_name", "end of"),
        ("{{ pipeline.model_name | quote }}", "quote"),
        ("{% include 'nowhere.jinja' %}", "nowhere.jinja"),
        ("{% import '../../outside.jinja' as x %}", "outside.jinja"),
    ],
)
def test_invalid_template_is_named_with_its_fault(make_pipeline, template, text, fault):
    template(text)
    with pytest.raises(RenderError) as refusal:
        render.render_ensemble(make_pipeline())
    assert refusal.value.exit_code == 6
    assert f"ensemble/{render.TEMPLATE}" in str(refusal.value)
    assert fault in str(refusal.value)


def test_component_without_a_template_is_named(make_pipeline):
    pipeline = make_pipeline()
    with pytest.raises(RenderError, match=r"template nowhere/config\.pbtxt\.template cannot be rendered"):
        render.render_step(pipeline, replace(pipeline.steps[0], component="nowhere"))
