import pytest

from utils.repository.layouts import LAYOUTS
from utils.repository.render import COMPONENTS_ROOT, TEMPLATE
from utils.repository.tensors import TensorSpec
from utils.tasks import TASKS


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_layouts_of_a_task_exist(task):
    assert task.layouts and set(task.layouts) <= set(LAYOUTS)


def test_ensemble_has_a_template():
    assert (COMPONENTS_ROOT / "ensemble" / TEMPLATE).is_file()


def names(tensors):
    return [tensor.name for tensor in tensors]


@pytest.mark.parametrize("inputs", [("input_ids", "attention_mask"), ("input_ids", "attention_mask", "token_type_ids")])
def test_ensemble_passes_the_tensors_of_the_graph_between_steps(make_pipeline, inputs):
    pipeline = make_pipeline(inputs=inputs, model_name="topics", max_batch_size=8, labels=("x", "y"))
    first, graph, last = pipeline.steps
    assert [step.model_name for step in pipeline.steps] == ["text_preprocessing", "model_onnx", "post_processing"]
    assert first.inputs == pipeline.inputs == (TensorSpec(name="text_input", dtype="BYTES", dims=(1,)),)
    assert names(first.outputs) == list(inputs)
    assert first.outputs == graph.inputs
    assert graph.outputs == last.inputs == (TensorSpec(name="logits", dtype="FP32", dims=(2,)),)
    assert last.outputs == pipeline.outputs
    assert (pipeline.model_name, pipeline.max_batch_size, pipeline.layout) == ("topics", 8, "ensemble")
    assert {step.max_batch_size for step in pipeline.steps} == {8}


@pytest.mark.parametrize("k", [1, 3])
def test_outputs_are_k_labels_and_k_scores(make_pipeline, k):
    assert make_pipeline(top_k=k).outputs == (
        TensorSpec(name="predicts", dtype="BYTES", dims=(k,)),
        TensorSpec(name="scores", dtype="FP32", dims=(k,)),
    )


def test_ensemble_has_the_smallest_max_batch_size_of_its_steps(make_ingredients):
    from dataclasses import replace

    ingredients = make_ingredients(max_batch_size=8)
    steps = tuple(step(ingredients) for step in TASKS["text-classification"].layouts["ensemble"])
    pipeline = LAYOUTS["ensemble"](ingredients, (*steps[:2], replace(steps[2], max_batch_size=0)))
    assert pipeline.max_batch_size == 0


def test_first_step_is_the_served_model_in_the_direct_layout(make_pipeline):
    pipeline = make_pipeline(layout="direct", model_name="topics", max_batch_size=8)
    assert [step.model_name for step in pipeline.steps] == ["topics", "model_onnx", "post_processing"]
    first = pipeline.steps[0]
    assert (first.component, pipeline.layout, pipeline.model_name) == ("text_preprocessing", "direct", "topics")
    assert (pipeline.inputs, pipeline.outputs) == (first.inputs, first.outputs)
    assert pipeline.max_batch_size == first.max_batch_size == 8
    assert pipeline.steps[1:] == make_pipeline(model_name="topics", max_batch_size=8).steps[1:]
