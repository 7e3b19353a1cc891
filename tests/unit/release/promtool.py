"""Prometheus' own checks of rules. promtool is in Debian's package prometheus."""

import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

from utils.repository.render import quoted


def check_rules(file: Path) -> str:
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts_after(rules: Path, series: Mapping[str, str], at: str = "90m", names: Collection[str] = ()) -> set[str]:
    """The names of the alerts, among `names`, that fire at a time. series: {series: values} in promtool's notation."""
    expected = {name: _fires(rules, series, at, name) for name in names}
    return {name for name, fires in expected.items() if fires}


def _fires(rules: Path, series: Mapping[str, str], at: str, name: str) -> bool:
    """promtool compares with what is expected: it succeeds if nothing was expected and nothing fires."""
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": key, "values": values} for key, values in series.items()],
                "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": []}],
            }
        ],
    }
    file = rules.parent / "unit-test.yaml"
    file.write_text(quoted(test), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, timeout=60)
    message = done.stdout + done.stderr
    assert done.returncode == 0 or f"alertname: {name}" in message, message
    return done.returncode != 0
