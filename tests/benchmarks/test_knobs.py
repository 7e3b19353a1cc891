"""What stands in a build, and what is worth a try."""

from dataclasses import replace

import pytest

from benchmarks import knobs
from utils.host.errors import UsageError
from utils.repository.context import Context
from utils.repository.layouts import LAYOUTS
from utils.repository.tuned import tuned
from utils.targets.tuning import Tuning
from utils.tasks import TASKS


def context_of(pipeline, device="cpu"):
    return Context(pipeline=pipeline, image="topics:v1", device=device, docker={}, oci_labels={})


@pytest.fixture
def fused(make_ingredients):
    ingredients = make_ingredients()
    return LAYOUTS["fused"](
        ingredients, tuple(make(ingredients) for make in TASKS["text-classification"].layouts["fused"])
    )


@pytest.fixture(autouse=True)
def _four_cpus(monkeypatch):
    monkeypatch.setattr(knobs, "cpu_count", lambda: 4)


def test_a_fused_build_has_every_knob(fused):
    start, built = knobs.start_of(context_of(fused))
    assert start == {"threads": 4, "instances": 1, "token_budget": 256, "batch_delay": 0}
    assert built == {}


def test_the_graph_of_an_ensemble_has_no_budget(make_pipeline):
    start, built = knobs.start_of(context_of(make_pipeline()))
    assert (start, built) == ({"threads": 0, "instances": 1, "batch_delay": 0}, {})


def test_what_was_given_to_the_build_stays_in_the_file(fused, make_pipeline):
    start, built = knobs.start_of(context_of(tuned(fused, Tuning(threads=2, token_budget=512))))
    assert start == {"threads": 2, "instances": 1, "token_budget": 512, "batch_delay": 0}
    assert built == {"threads": 2, "token_budget": 512}
    _, built = knobs.start_of(context_of(tuned(make_pipeline(), Tuning(instances=2, batch_delay=700))))
    assert built == {"instances": 2, "batch_delay": 700}


def test_what_has_no_effect_is_not_tried(make_pipeline):
    pipeline = make_pipeline(max_batch_size=1)
    assert list(knobs.start_of(context_of(pipeline))[0]) == ["threads", "instances"]
    assert list(knobs.start_of(context_of(make_pipeline(), device="gpu"))[0]) == ["instances", "batch_delay"]
    steps = tuple(replace(step, component=step.component.replace("onnx", "torchscript")) for step in pipeline.steps)
    assert list(knobs.start_of(context_of(replace(pipeline, steps=steps)))[0]) == ["instances"]


def test_requests_that_share_no_run_for_safety_are_not_merged_by_a_measurement(make_pipeline):
    pipeline = make_pipeline()
    steps = tuple(replace(step, batch_delay=None) for step in pipeline.steps)
    assert list(knobs.start_of(context_of(replace(pipeline, steps=steps)))[0]) == ["threads", "instances"]


def test_instances_share_the_cpus():
    tried = knobs.worth_trying({"threads": 4, "instances": 1, "batch_delay": 0})
    assert list(tried) == ["threads", "instances", "batch_delay"]
    assert tried["threads"] == [{"threads": 1}, {"threads": 2}, {"threads": 4}]
    assert tried["instances"] == [
        {"instances": 2},
        {"instances": 1, "threads": 4},
        {"instances": 2, "threads": 2},
        {"instances": 4, "threads": 1},
    ]


def test_where_threads_cannot_be_set_instances_are_tried_once():
    assert knobs.worth_trying({"instances": 1})["instances"] == [{"instances": 2}, {"instances": 1}, {"instances": 4}]


def test_one_cpu(monkeypatch):
    monkeypatch.setattr(knobs, "cpu_count", lambda: 1)
    tried = knobs.worth_trying({"threads": 1, "instances": 1})
    assert tried == {"threads": [{"threads": 1}], "instances": [{"instances": 2}, {"instances": 1, "threads": 1}]}


def test_only_those_asked_for_are_tried():
    start = {"threads": 4, "instances": 1, "batch_delay": 0}
    assert list(knobs.worth_trying(start, ("batch_delay",))) == ["batch_delay"]
    with pytest.raises(UsageError, match="--only token_budget has no effect on this build; choose from: threads, inst"):
        knobs.worth_trying(start, ("threads", "token_budget"))
