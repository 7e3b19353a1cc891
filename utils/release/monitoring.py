"""A Grafana dashboard and Prometheus' alert rules for one build, below deploy/ of its tree (docs/observe.md)."""

import json
import re
from pathlib import Path
from typing import Any

from utils import ROOT
from utils.host import digest
from utils.release import measured
from utils.release.baseline import GOLDEN, read_baseline
from utils.repository.pipeline import Pipeline
from utils.repository.render import render

TEMPLATES = ROOT / "deploy/templates"
DASHBOARD, ALERTS, SCRAPE = "grafana/dashboard.json", "prometheus/alerts.yaml", "prometheus/prometheus.yaml"
# The share of failed requests; waiting requests, as many as the supervisor lets wait after refusing; 1 s.
LIMITS = {"failures": 0.05, "waiting": 64, "microseconds": 1_000_000}
TARGET = "127.0.0.1:8002"


def write_monitoring(
    tree: Path, pipeline: Pipeline, *, hold: str = "2m", window: str = "1h", interval: str = "15s", target: str = TARGET
) -> None:
    """Writes `tree`/deploy/grafana and prometheus, in place of earlier ones. RenderError for a faulty template.

    hold: how long a condition lasts before its alert fires. window: what drift compares with the baseline. interval:
    of scrapes; target: the metrics port. All in Prometheus' form.
    """
    baseline = read_baseline(tree)
    models = {pipeline.model_name, *(step.model_name for step in pipeline.steps)}
    values: dict[str, Any] = {
        "model": pipeline.model_name,
        "uid": f"triton-{digest.of_text(pipeline.model_name)[:12]}",
        "steps": "|".join(map(re.escape, sorted(models))),
        "families": measured.families(pipeline),
        "baseline": {"shares": baseline.shares, "source": baseline.sentence},
        "severity": "info" if baseline.source == GOLDEN else "warning",
        "limits": {**LIMITS, **baseline.limits, "answers": baseline.least_answers},
        **{"hold": hold, "window": window, "interval": interval, "target": target},
    }
    dashboard = json.loads(render(TEMPLATES, f"{DASHBOARD}.template", **values))
    texts = {
        DASHBOARD: json.dumps(dashboard, ensure_ascii=False, indent=2) + "\n",
        **{name: render(TEMPLATES, f"{name}.template", **values) for name in (ALERTS, SCRAPE)},
    }
    for name, text in texts.items():
        file = tree / "deploy" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
