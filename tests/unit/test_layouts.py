import pytest

from utils.layouts import COMPONENTS, DEFAULT_LAYOUT, LAYOUTS
from utils.render import COMPONENTS_ROOT, TEMPLATE
from utils.tasks import TASKS
from utils.tensors import TensorSpec


def test_the_default_is_one_of_them():
    assert DEFAULT_LAYOUT in LAYOUTS


@pytest.mark.parametrize("name", [*COMPONENTS, *LAYOUTS])
def test_each_has_a_folder_with_a_template(name):
    assert (COMPONENTS_ROOT / name / TEMPLATE).is_file()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_each_component_of_a_task_can_be_made(task):
    assert set(task.components) <= set(COMPONENTS)


def names(tensors):
    return [tensor.name for tensor in tensors]


@pytest.mark.parametrize("inputs", [("input_ids", "attention_mask"), ("input_ids", "attention_mask", "token_type_ids")])
def test_an_ensemble_hands_the_tensors_of_the_graph_from_step_to_step(make_pipeline, inputs):
    pipeline = make_pipeline(inputs=inputs, model_name="topics", max_batch_size=8, labels=("x", "y"))
    first, graph, last = pipeline.steps
    assert [step.model_name for step in pipeline.steps] == ["text_preprocessing", "model_onnx", "post_processing"]
    assert first.inputs == pipeline.inputs == (TensorSpec(name="text_input", dtype="BYTES", dims=(1,)),)
    assert names(first.outputs) == list(inputs)
    assert first.outputs == graph.inputs
    assert graph.outputs == last.inputs == (TensorSpec(name="logits", dtype="FP32", dims=(2,)),)
    assert last.outputs == pipeline.outputs
    assert (pipeline.model_name, pipeline.max_batch_size, pipeline.layout) == ("topics", 8, "ensemble")


@pytest.mark.parametrize("k", [1, 3])
def test_an_answer_has_k_labels_and_k_scores(make_pipeline, k):
    assert make_pipeline(top_k=k).outputs == (
        TensorSpec(name="predicts", dtype="BYTES", dims=(k,)),
        TensorSpec(name="scores", dtype="FP32", dims=(k,)),
    )


def test_only_the_graph_goes_to_the_device(make_pipeline):
    kinds = {step.model_name: step.instance_kind for step in make_pipeline(instance_kind="KIND_GPU").steps}
    assert kinds == {"text_preprocessing": "KIND_CPU", "model_onnx": "KIND_GPU", "post_processing": "KIND_CPU"}


def test_each_step_gets_what_it_needs_and_no_more(make_pipeline):
    pipeline = make_pipeline(labels=("x", "y"), score_function="sigmoid", top_k=2, external_files=("model.onnx_data",))
    first, graph, last = pipeline.steps
    assert set(first.files) == {"tokenizer.json"}
    assert first.documents["settings.json"]["max_length"] == 128
    assert set(graph.files) == {"model.onnx", "model.onnx_data"}
    assert graph.documents == {}
    assert last.files == {}
    assert last.documents == {
        "settings.json": {"score_function": "sigmoid", "top_k": 2},
        "id2label.json": {"0": "x", "1": "y"},
    }
