"""The generated alerts, judged by promtool, and the dashboard's form.

tests/server/test_monitoring.py asks a real Prometheus. Grafana itself is not run: it is in no package registry.
"""

import json

import pytest

from tests.unit.release.promtool import alerts_after, check_rules
from utils.release.baseline import EVALUATED, GOLDEN, Baseline, write_baseline
from utils.release.monitoring import ALERTS, DASHBOARD, write_monitoring

LABELS = ('say "hi"', "back\\slash", "two\nlines, помощь 👍 \x85")
SHARES = {LABELS[0]: 0.5, LABELS[1]: 0.3, LABELS[2]: 0.2, "__other__": 0.0}
SCORES = {"0.5": 0.1, "0.9": 0.6, "1": 1.0, "+Inf": 1.0}
DRIFT = ("TritonLabelsDrift", "TritonScoresDrift")
SERVICE = (
    "TritonServerDown", "TritonModelAbsent", "TritonServerRestarts", "TritonRequestsFail", "TritonRequestsWait",
    "TritonRequestsAreSlow",
)  # fmt: skip
MODEL = 'model="ensemble_model",version="1",instance="one",job="any"'


@pytest.fixture
def rules(make_pipeline, tmp_path):
    """The rules of a model with three labels."""
    shares = {"labels": list(SHARES.items()), "scores": list(SCORES.items())}
    write_baseline(Baseline(source=EVALUATED, answers=2000, shares=shares), tmp_path)
    write_monitoring(tmp_path, make_pipeline(labels=LABELS))
    return tmp_path / "deploy" / ALERTS


def grown(family, label, per_minute):
    """Counters that grow by so much a minute. per_minute: {value of `label`: number}."""
    return {
        f"triton_factory_{family}{{{MODEL},{label}={json.dumps(value, ensure_ascii=False)}}}": f"0+{number}x120"
        for value, number in per_minute.items()
    }


def served(labels, scores, answers=100):
    """An hour and more of answers with these shares."""
    scaled = [{key: round(share * answers) for key, share in shares.items()} for shares in (labels, scores)]
    return {
        **grown("predictions_total", "label", scaled[0]),
        **grown("best_score_bucket", "le", scaled[1]),
        f"triton_factory_best_score_count{{{MODEL}}}": f"0+{answers}x120",
    }


def requests(success="0+60x120", failure="0+0x120", **more):
    return {
        f"nv_inference_request_success{{{MODEL}}}": success,
        f'nv_inference_request_failure{{{MODEL},reason="BACKEND"}}': failure,
        'up{job="any",instance="one"}': "1+0x120",
        **more,
    }


def test_the_rules_are_valid(rules):
    assert "SUCCESS" in check_rules(rules)


def test_shares_like_the_baseline_s_are_no_drift(rules):
    assert alerts_after(rules, served(SHARES, SCORES), names=DRIFT) == set()
    near = {**SHARES, LABELS[0]: 0.4, LABELS[1]: 0.4}
    assert alerts_after(rules, served(near, {**SCORES, "0.9": 0.7}), names=DRIFT) == set()


def test_shifted_labels_are_drift(rules):
    shifted = {LABELS[0]: 0.2, LABELS[1]: 0.3, LABELS[2]: 0.5, "__other__": 0}
    assert alerts_after(rules, served(shifted, SCORES), names=DRIFT) == {"TritonLabelsDrift"}


def test_shifted_scores_are_drift(rules):
    assert alerts_after(rules, served(SHARES, {**SCORES, "0.9": 0.95}), names=DRIFT) == {"TritonScoresDrift"}


def test_few_answers_are_no_drift(rules):
    shifted = {LABELS[0]: 0, LABELS[1]: 0, LABELS[2]: 1, "__other__": 0}
    assert alerts_after(rules, served(shifted, SCORES, answers=8), names=DRIFT) == set()
    assert alerts_after(rules, served(shifted, SCORES, answers=9), names=DRIFT) == {"TritonLabelsDrift"}


def test_a_healthy_server_raises_no_alert(rules):
    assert alerts_after(rules, requests(), names=SERVICE) == set()


@pytest.mark.parametrize(
    ("changes", "alert"),
    [
        ({"success": "0+60x84 stale", 'up{job="any",instance="one"}': "1+0x84 0+0x40"}, "TritonServerDown"),
        ({"failure": "0+4x120"}, "TritonRequestsFail"),
        ({f"nv_inference_pending_request_count{{{MODEL}}}": "65+0x120"}, "TritonRequestsWait"),
        ({f'nv_inference_request_summary_us{{{MODEL},quantile="0.99"}}': "1000001+0x120"}, "TritonRequestsAreSlow"),
        ({f'triton_factory_start_time_seconds{{{MODEL},step="x"}}': "0+0x79 1+1x40"}, "TritonServerRestarts"),
    ],
)
def test_each_fault_raises_its_alert(rules, changes, alert):
    expected = {alert, "TritonModelAbsent"} if alert == "TritonServerDown" else {alert}
    assert alerts_after(rules, requests(**changes), names=SERVICE) == expected


def test_a_fault_of_another_model_raises_none(rules):
    other = 'model="other",version="1",instance="two",job="any"'
    series = requests(
        **{
            f"nv_inference_pending_request_count{{{other}}}": "99+0x120",
            f'nv_inference_request_failure{{{other},reason="BACKEND"}}': "0+99x120",
            'up{job="any",instance="two"}': "0+0x120",
        }
    )
    assert alerts_after(rules, series, names=SERVICE) == set()


def test_no_server_at_all_is_an_alert(rules):
    assert alerts_after(rules, {}, names=SERVICE) == {"TritonModelAbsent"}


@pytest.mark.parametrize(("source", "severity"), [(GOLDEN, "info"), (EVALUATED, "warning")])
def test_golden_texts_are_a_weak_baseline(make_pipeline, tmp_path, source, severity):
    write_baseline(Baseline(source=source, answers=27, shares={"labels": [("a", 1.0)]}), tmp_path)
    write_monitoring(tmp_path, make_pipeline())
    text = (tmp_path / "deploy" / ALERTS).read_text(encoding="utf-8")
    drift = text[text.index("TritonLabelsDrift") :]
    assert f"severity: {severity}" in drift
    assert ("build with --eval-file" in drift) == (source == GOLDEN)


@pytest.mark.parametrize("task", ["text-classification", "text-ranking", "token-classification"])
def test_the_dashboard_holds_a_panel_of_each_family(make_pipeline, tmp_path, task):
    settings = {
        "text-ranking": {"settings": {"activation": "none"}, "logits": (1,), "labels": ()},
        "token-classification": {"settings": {"aggregation": "simple"}, "labels": ("O", "B-PER")},
    }.get(task, {})
    write_monitoring(tmp_path, make_pipeline(task=task, **settings))
    dashboard = json.loads((tmp_path / "deploy" / DASHBOARD).read_text(encoding="utf-8"))
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(set(titles)) == len(titles)
    assert ("Labels" in titles) == (task != "text-ranking")
    assert {"Requests", "Duration of requests", "Tokens of a text", "Best score", "Drift"} <= set(titles)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}
    assert len(places) == len(titles)
    check_rules(tmp_path / "deploy" / ALERTS)
