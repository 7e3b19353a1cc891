"""TensorRT's parameters in the config. No test here has a GPU: names and forms are those of onnxruntime_backend."""

from dataclasses import replace

import pytest

from utils.repository import accelerators, steps
from utils.repository.context import Context, read_context, write_context

INPUTS = ("input_ids", "attention_mask")


@pytest.fixture
def ingredients(make_ingredients):
    return make_ingredients(inputs=INPUTS, engine="tensorrt", precision="fp16", max_batch_size=8)


def parameters(ingredients):
    return steps.graph_step(ingredients).accelerator.parameters


def shapes(ingredients):
    return [parameters(ingredients)[f"trt_profile_{name}_shapes"] for name in ("min", "opt", "max")]


def test_only_the_engine_that_is_one_has_an_accelerator(ingredients):
    assert steps.graph_step(replace(ingredients, engine="onnxruntime")).accelerator is None
    assert parameters(ingredients)["precision_mode"] == "FP16"
    assert steps.step_of_graph(ingredients, ingredients.graph, "another").accelerator is None, "--add-model"


@pytest.mark.parametrize(
    ("limit", "usual", "last"), [(512, 128, 512), (100, 100, 100), (12, 12, 12), (None, 128, steps.LONGEST_BUCKET)]
)
def test_one_profile_holds_every_length(ingredients, limit, usual, last):
    ingredients = replace(ingredients, tokenization={**ingredients.tokenization, "max_length": limit})
    assert shapes(ingredients) == [
        "input_ids:1x1,attention_mask:1x1",
        f"input_ids:8x{usual},attention_mask:8x{usual}",
        f"input_ids:8x{last},attention_mask:8x{last}",
    ]
    assert steps.graph_step(ingredients).accelerator.warm_up == tuple(steps.length_buckets(limit))


def test_a_fixed_length_is_the_only_one(ingredients):
    graph = ingredients.graph
    graph = replace(graph, inputs=tuple(replace(each, dims=(40,)) for each in graph.inputs))
    fixed = replace(ingredients, graphs={"model": graph}, tokenization={"padding": {"length": 40}, "max_length": 40})
    assert shapes(fixed) == [",".join(f"{name}:{rows}x40" for name in INPUTS) for rows in (1, 8, 8)]
    assert steps.graph_step(fixed).accelerator.warm_up == (40,)


def test_other_weights_releases_and_precisions_have_other_engines(ingredients):
    """ONNX Runtime takes an engine of the same structure for its own, with the weights of another model."""
    folders = [parameters(ingredients)["trt_engine_cache_path"]]
    for change in ({"release": "26.08"}, {"precision": "fp32"}):
        folders.append(parameters(replace(ingredients, **change))["trt_engine_cache_path"])
    ingredients.graph.path.write_bytes(b"other weights")
    folders.append(parameters(ingredients)["trt_engine_cache_path"])
    ingredients.graph.path.unlink()  # of a plan
    folders.append(parameters(ingredients)["trt_engine_cache_path"])
    assert len(set(folders)) == len(folders)
    assert all(each.rpartition("/")[0] == accelerators.ENGINES_FOLDER for each in folders)


def test_the_same_graph_has_the_same_engines(ingredients):
    assert parameters(ingredients) == parameters(ingredients)


def test_context_json_keeps_it(make_pipeline, tmp_path):
    """process_template.sh renders from that file alone."""
    pipeline = make_pipeline(folder=tmp_path, engine="tensorrt", instance_kind="KIND_GPU")
    context = Context(pipeline=pipeline, image="topics:v1", device="gpu", docker={}, oci_labels={})
    kept = read_context(write_context(context, tmp_path)).pipeline
    assert kept == pipeline
    assert kept.builds_engines
