import json
from dataclasses import replace

import pytest

from tests.small_specs import LABELS, settings_of, spec_of
from utils.factory.base_images import docker_plan
from utils.factory.report import as_text, describe


@pytest.fixture
def plan(known, make_pipeline):
    spec = spec_of("--release", "24.08")
    pipeline = make_pipeline(model_name="topics", max_batch_size=8)
    return describe(spec, known, settings_of(spec, known), pipeline, docker_plan(spec.target, None))


def test_the_plan_is_json_and_says_what_will_be(plan):
    plan = json.loads(json.dumps(plan))
    assert plan["labels"] == {"count": 3, "source": "config.json", "texts": list(LABELS)}
    message = {"name": "24.08", "triton": "2.49.0", "onnxruntime": "1.19.0", "opset": 18, "python": "3.10"}
    assert plan["release"] == {**message, "unverified": ["ONNX Runtime is 1.19.0 or 1.18.1 (sources disagree)"]}
    assert plan["task"] == {
        "name": "text-classification",
        "problem_type": "single_label_classification",
        "score_function": "softmax",
        "score_rule": "pipeline",
        "top_k": 1,
    }
    assert plan["served_model"] == {
        "name": "topics",
        "max_batch_size": 8,
        "inputs": ["text_input BYTES [1]"],
        "outputs": ["predicts BYTES [1]", "scores FP32 [1]"],
    }
    assert [step["model"] for step in plan["steps"]] == ["text_preprocessing", "model_onnx", "post_processing"]
    assert plan["image"] == "tritoned_topics:v1"
    assert len(plan["base_images"]) == 2


def test_without_an_image_the_plan_names_none(known, make_pipeline):
    spec = spec_of("--no-image", "--device", "gpu")
    plan = describe(spec, known, settings_of(spec, known), make_pipeline(), docker_plan(spec.target, None))
    assert plan["image"] is None
    assert len(plan["base_images"]) == 1


def test_the_plan_for_a_person_has_a_line_a_value(plan):
    lines = as_text(plan).splitlines()
    assert "image: tritoned_topics:v1" in lines
    assert "  reference: hf:user/tok@v1" in lines
    assert "  model_onnx: input_ids INT64 [-1], attention_mask INT64 [-1], token_type_ids INT64 [-1] -> " in "\n".join(
        lines
    )


def test_a_task_without_labels_has_none_in_the_plan(known, make_pipeline):
    spec, unlabelled = spec_of(), replace(known, labels=None)
    assert unlabelled.label_texts == ()
    assert describe(spec, unlabelled, {}, make_pipeline(), docker_plan(spec.target, None))["labels"] is None


def test_without_tuning_the_plan_says_nothing_of_it(plan):
    assert "tuning" not in plan
