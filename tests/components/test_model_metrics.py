"""The metrics of models, without Triton: what is counted, and that nothing that fails in them fails a request."""

import json
import time

import numpy as np
import pytest

from deploy.supervisor import canary
from tests.components.test_fused import load as load_fused  # noqa: F401 - a fixture
from tests.components.test_fused import texts


@pytest.fixture
def args():
    return {
        "model_name": "post_processing",
        "model_version": "3",
        "model_config": json.dumps({"parameters": {"served_model": {"string_value": "topics"}}}),
    }


@pytest.fixture
def metrics(shared, args):
    """`metrics(families)`: without its thread; `publish` is called by the test."""
    made = []

    def make(families):
        made.append(shared.model_metrics.ModelMetrics(args, families))
        made[-1].close()
        return made[-1]

    return make


def values(pb_utils, name, **labels):
    """{the other labels: value} of the series of a family."""
    expected = set(labels.items())
    found = {}
    for (family, *own), value in pb_utils.series.items():
        if family == name and expected <= set(own):
            rest = {key: text for key, text in own if key not in ("model", "version", *labels)}
            found[next(iter(rest.values()), "")] = value
    return found


def test_every_series_exists_before_the_first_request(shared, pb_utils, metrics):
    families = shared.metric_families
    metrics({**families.TEXT_FAMILIES, **families.label_family(["a", "b"]), **families.score_family()})
    started = [value for (name, *_), value in pb_utils.series.items() if name == "triton_factory_start_time_seconds"]
    assert abs(started[0] - time.time()) < 60
    others = {key: value for key, value in pb_utils.series.items() if "start_time" not in key[0]}
    assert set(others.values()) == {0}
    assert {dict(own)["model"] for _, *own in others} == {"topics"}
    assert {dict(own)["version"] for _, *own in others} == {"3"}
    assert values(pb_utils, "triton_factory_predictions_total") == {"a": 0, "b": 0, "__other__": 0}
    assert list(values(pb_utils, "triton_factory_batch_rows_bucket"))[-1] == "+Inf"


def test_a_histogram_counts_values_up_to_each_bound(shared, pb_utils, metrics):
    ours = metrics({"x": shared.metric_families.histogram("x", "X.", (1, 2, 5))})
    ours.count(x=[0.5, 1, 1.5])
    ours.count(x=[9])
    ours.publish()
    assert values(pb_utils, "triton_factory_x_bucket") == {"1": 2, "2": 3, "5": 3, "+Inf": 4}
    assert values(pb_utils, "triton_factory_x_sum") == {"": 12}
    ours.count(x=[2])
    ours.publish()
    assert values(pb_utils, "triton_factory_x_bucket") == {"1": 2, "2": 4, "5": 4, "+Inf": 5}
    assert values(pb_utils, "triton_factory_x_count") == {"": 5}


def test_raw_scores_may_be_negative(shared, pb_utils, metrics):
    ours = metrics(shared.metric_families.score_family("none"))
    for score in (3.0, -7.5):
        ours.count(scores=[score])
        ours.publish()
    assert values(pb_utils, "triton_factory_best_score_sum") == {"": -4.5}
    assert values(pb_utils, "triton_factory_best_score_bucket")["-5"] == 1


def test_the_labels_are_capped(shared, pb_utils, metrics):
    families = shared.metric_families
    labels = [f"label {number}" for number in range(families.MOST_LABELS + 5)]
    ours = metrics(families.label_family(labels))
    ours.count(labels=[label.encode() for label in (labels[0], labels[0], labels[-1], labels[-2], "unknown")])
    ours.publish()
    found = values(pb_utils, "triton_factory_predictions_total")
    assert len(found) == families.MOST_LABELS + 1
    assert (found["label 0"], found[families.OTHER], sum(found.values())) == (2, 3, 5)


def test_what_is_not_published_is_published_later(shared, pb_utils, metrics, monkeypatch):
    ours = metrics({"x": shared.metric_families.total("x_total", "X.")})
    ours.count(x=[1, 2])
    series = ours._families["x"].series[0]
    with monkeypatch.context() as patch:
        patch.setattr(type(series), "increment", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ours.publish()
    ours.publish()
    assert values(pb_utils, "triton_factory_x_total") == {"": 3}


def test_the_thread_publishes_and_survives_a_failure(shared, pb_utils, args, monkeypatch, capfd):
    module = shared.model_metrics
    monkeypatch.setattr(module, "PUBLISH_SECONDS", 0.01)
    ours = module.ModelMetrics(args, {"x": shared.metric_families.total("x_total", "X.")})
    series = type(ours._families["x"].series[0])
    with monkeypatch.context() as patch:
        patch.setattr(series, "increment", lambda *_: 1 / 0)
        ours.count(x=[5])
        wait_for(lambda: "late" in capfd.readouterr().err)
    wait_for(lambda: values(pb_utils, "triton_factory_x_total") == {"": 5})
    ours.close()
    assert not ours._thread.is_alive()


def wait_for(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("reason", ["off", "a Triton without metrics"])
def test_a_server_without_metrics_serves(shared, pb_utils, args, monkeypatch, reason, capfd):
    if reason == "off":
        monkeypatch.setenv("TRITON_MODEL_METRICS", "off")
    else:
        monkeypatch.delattr(pb_utils, "MetricFamily")
    ours = shared.model_metrics.ModelMetrics(args, shared.metric_families.TEXT_FAMILIES)
    ours.count(rows=[1])
    ours.close()
    assert not ours.is_on
    assert not pb_utils.series
    assert ("no metrics of model post_processing" in capfd.readouterr().err) == (reason != "off")


def test_the_fused_model_counts_rows_tokens_padding_and_answers(load_fused, request_of, pb_utils):  # noqa: F811
    model = load_fused(token_budget=1000, threads=1, max_length=5)
    inputs = [texts("a", "a b c d e f g"), texts("b", b"\xff"), texts("c d")]
    requests = [request_of(text_input=each) for each in inputs]
    canaries = [request_of(text_input=texts("h h"), id=canary.REQUEST_ID)]
    model.execute(requests + canaries)
    model.metrics.close()
    model.metrics.publish()
    total = {name: values(pb_utils, f"triton_factory_{name}") for name in (
        "batch_rows_sum", "batch_rows_count", "text_tokens_sum", "text_tokens_count", "truncated_texts_total",
        "graph_tokens_total", "execution_seconds_count", "predictions_total", "best_score_count", "best_score_sum",
    )}  # fmt: skip
    assert {name: found[""] for name, found in total.items() if "" in found} == {
        "batch_rows_sum": 3, "batch_rows_count": 1, "text_tokens_sum": 3 + 5 + 4, "text_tokens_count": 3,
        "truncated_texts_total": 1, "execution_seconds_count": 1, "best_score_count": 3,
        "best_score_sum": (2 + 4 + 3) + (2 + 4 + 5 + 6 + 3) + (2 + 6 + 7 + 3),
    }  # fmt: skip
    assert total["graph_tokens_total"] == {"text": 12, "padding": 2 + 0 + 1}
    assert total["predictions_total"] == {"sum": 3, "count": 0, "one": 0, "__other__": 0}


def test_the_canary_has_the_id_that_is_not_counted(shared, request_of):
    assert canary.REQUEST_ID == shared.model_metrics.CANARY_ID
    assert [shared.model_metrics.is_counted(request_of(id=each)) for each in ("", "1", canary.REQUEST_ID)] == [
        True, True, False,
    ]  # fmt: skip


def test_an_id_that_is_not_utf8_is_no_id(shared, request_of):
    """Triton passes on any bytes."""
    request = request_of(id=b"\xff\xfe")
    assert shared.step_responses.id_of(request) == ""
    assert shared.model_metrics.is_counted(request)


def test_post_processing_counts_best_labels(load_component, request_of, pb_utils):
    files = {"settings.json": {"score_function": "softmax", "top_k": 2}, "id2label.json": {"0": "a", "1": 'b "é"\n'}}
    model = load_component(
        "post_processing", {"logits": "TYPE_FP32"}, {"predicts": "TYPE_STRING", "scores": "TYPE_FP32"}, files
    )
    logits = np.array([[0.0, 5.0], [0.0, 1.0], [3.0, 0.0]], dtype=np.float32)
    model.execute([request_of(logits=logits), request_of(logits=logits, id=canary.REQUEST_ID)])
    model.metrics.close()
    model.metrics.publish()
    assert values(pb_utils, "triton_factory_predictions_total") == {"a": 1, 'b "é"\n': 2, "__other__": 0}
    assert values(pb_utils, "triton_factory_best_score_bucket")["0.9"] == 1
