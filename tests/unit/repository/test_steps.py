from dataclasses import replace
from pathlib import Path

import pytest

from utils.convert.task import pipeline_of
from utils.repository import steps
from utils.repository.render import COMPONENTS_ROOT, SHARED_TEMPLATE, TEMPLATE
from utils.repository.tensors import TensorSpec
from utils.targets.formats import FORMATS
from utils.tasks import TASKS

MAKERS = {(name, maker) for name, task in TASKS.items() for makers in task.layouts.values() for maker in makers}


def made_of(pipeline):
    return {step.component: step for step in pipeline.steps}


@pytest.mark.parametrize("component", sorted({row.component for row in FORMATS.values()}))
def test_graph_component_has_a_template(component):
    assert (COMPONENTS_ROOT / component / TEMPLATE).is_file()


def test_component_with_only_a_model_py_uses_the_shared_template():
    assert (COMPONENTS_ROOT / "text_preprocessing/1/model.py").is_file()
    assert (
        not (COMPONENTS_ROOT / "text_preprocessing" / TEMPLATE).exists()
        and (COMPONENTS_ROOT / SHARED_TEMPLATE).is_file()
    )


def test_each_step_has_only_the_files_and_settings_it_needs(make_pipeline):
    pipeline = make_pipeline(labels=("x", "y"), score_function="sigmoid", top_k=2, external_files=("model.onnx_data",))
    first, graph, last = pipeline.steps
    assert set(first.files) == {"tokenizer.json"}
    assert first.documents["settings.json"]["max_length"] == 128
    assert set(graph.files) == {"model.onnx", "model.onnx_data"}
    assert graph.files["model.onnx_data"].read_bytes() == b"stands for model.onnx_data"
    assert graph.documents == {}
    assert last.files == {}
    assert last.documents == {
        "settings.json": {"score_function": "sigmoid", "top_k": 2},
        "id2label.json": {"0": "x", "1": "y"},
    }


def test_only_the_graph_runs_on_the_device(make_pipeline):
    kinds = {step.model_name: step.instance_kind for step in make_pipeline(instance_kind="KIND_GPU").steps}
    assert kinds == {"text_preprocessing": "KIND_CPU", "model_onnx": "KIND_GPU", "post_processing": "KIND_CPU"}


def test_steps_have_the_names_set_by_the_user(make_pipeline):
    pipeline = make_pipeline(step_names={"text_preprocessing": "tokenizer", "model_onnx": "Graph-1"})
    assert [step.model_name for step in pipeline.steps] == ["tokenizer", "Graph-1", "post_processing"]
    assert [step.component for step in pipeline.steps] == ["text_preprocessing", "model_onnx", "post_processing"]


def test_graph_without_a_batch_dimension_has_no_batches(make_ingredients):
    ingredients = make_ingredients(max_batch_size=8)
    assert steps.graph_step(ingredients).max_batch_size == 8
    whole = replace(ingredients.graph, batched=False)
    assert steps.graph_step(replace(ingredients, graphs={"model": whole})).max_batch_size == 0


@pytest.mark.parametrize(
    ("dtype", "kind", "delay"),
    [
        ("INT64", "KIND_CPU", None),
        ("INT32", "KIND_CPU", None),
        ("BYTES", "KIND_CPU", None),
        ("FP32", "KIND_CPU", 0),
        ("BOOL", "KIND_CPU", 0),
        ("INT64", "KIND_GPU", 0),
    ],
)
def test_bare_graph_has_dynamic_batching_if_no_value_can_fail_it(make_ingredients, dtype, kind, delay):
    ingredients = make_ingredients(dtype=dtype, instance_kind=kind)
    assert steps.bare_graph(ingredients).batch_delay == delay
    assert steps.graph_step(ingredients).batch_delay == 0, "a tokenizer produces only ids that the graph has"


def test_second_graph_has_its_own_name(make_ingredients):
    ingredients = make_ingredients(instance_kind="KIND_GPU")
    step = steps.step_of_graph(ingredients, ingredients.graph, "encoder")
    assert (step.model_name, step.component, step.instance_kind) == ("encoder", "model_onnx", "KIND_GPU")
    assert replace(step, model_name="model_onnx") == steps.graph_step(ingredients)


def test_planned_build_has_no_tokenizer_file(make_ingredients):
    ingredients = make_ingredients()
    assert steps.tokenizer_file(ingredients) == {"tokenizer.json": ingredients.tokenizer_file}
    assert steps.tokenizer_file(replace(ingredients, tokenizer_file=None)) == {}
    assert steps.text_preprocessing(replace(ingredients, tokenizer_file=None)).files == {}


def test_pair_has_two_text_inputs(make_ingredients):
    ingredients = replace(make_ingredients(), inputs=(steps.text_input("query"), steps.text_input("document")))
    assert [str(each) for each in steps.text_preprocessing(ingredients).inputs] == [
        "query BYTES [1]",
        "document BYTES [1]",
    ]


def test_id2label_of_labels():
    assert steps.id2label(("помощь", "b")) == {"0": "помощь", "1": "b"}
    assert steps.id2label(()) == {}


def test_row_has_one_text():
    assert steps.text_input() == TensorSpec(name="text_input", dtype="BYTES", dims=(1,))


def ingredients_of(task, make_ingredients):
    """Ingredients for the steps of any task: settings of all of them, and several graphs if the task has them."""
    base = make_ingredients(
        settings={
            "score_function": "softmax",
            "top_k": 1,
            "modules": {"1_Pooling": {"type": "Pooling", "modes": ["mean"]}},
            "normalize": True,
            "activation": "none",
        }
    )
    pipeline = pipeline_of(task)
    if not pipeline:
        return base
    dims = {"text_detection": [(-1, -1, -1, 1), (-1, -1, -1, 5)], "text_recognition": [(-1, 25, 37)]}
    graphs = {
        name: replace(
            base.graph,
            inputs=(TensorSpec(name="pixels", dtype="FP32", dims=(-1, -1, -1, 3)),),
            outputs=tuple(
                TensorSpec(name=f"map {place}", dtype="FP32", dims=each) for place, each in enumerate(dims[name])
            ),
            batched=False,
        )
        for name in pipeline.names
    }
    settings = pipeline.settings({})
    return replace(
        base, inputs=task.inputs, outputs=task.outputs(settings, base.graph), settings=settings, graphs=graphs
    )


@pytest.mark.parametrize(
    ("task", "maker"),
    sorted(MAKERS, key=lambda each: (each[0], each[1].__name__)),
    ids=lambda part: getattr(part, "__name__", part),
)
def test_files_of_a_step_are_in_the_build_tree(task, maker, make_ingredients, tmp_path):
    """context.json has paths relative to the tree."""
    step = maker(ingredients_of(TASKS[task], make_ingredients))
    assert all(Path(path).is_relative_to(tmp_path / "tree") for path in step.files.values())
    assert not set(step.files) & set(step.documents)


@pytest.mark.parametrize(
    ("limit", "lengths"),
    [
        (128, [16, 24, 32, 48, 64, 96, 128]),
        (100, [16, 24, 32, 48, 64, 96, 100]),
        (12, [12]),
        (None, [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192]),
    ],
)
def test_buckets_end_with_the_limit(limit, lengths):
    assert steps.length_buckets(limit) == lengths


def test_padding_to_buckets_depends_on_the_runtime(make_ingredients):
    settings = [
        steps.text_preprocessing(make_ingredients(pads_to_buckets=pads)).documents["settings.json"]["padding"]
        for pads in (False, True)
    ]
    assert "buckets" not in settings[0]
    assert settings[1]["buckets"][-1] == 128
    fixed = make_ingredients(pads_to_buckets=True)
    fixed = replace(fixed, tokenization={**fixed.tokenization, "padding": {"length": 40}})
    assert steps.text_preprocessing(fixed).documents["settings.json"]["padding"] == {"length": 40}
