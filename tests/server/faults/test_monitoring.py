"""A real Prometheus with the generated files scrapes a supervised server: dashboard, alerts, a broken canary.

Only Grafana itself is missing: it is in no package registry. A panel shows what these queries return.
"""

import json
import math

import pytest

from tests.loopback.prometheus import running, wait_for
from tests.server.faults.conftest import ONE_LAYOUT
from tests.server.faults.supervised import lay_out_serving, supervised
from tests.server.published import scrape
from tests.server.task_requests import ask
from utils.proof.golden_file import read_golden
from utils.release import measured
from utils.release.baseline import EVALUATED, Baseline, of_golden, write_baseline
from utils.release.monitoring import DASHBOARD, SCRAPE, write_monitoring
from utils.repository.context import read_context

TEXTS = [["a fox"], ["the quick brown fox jumps over the lazy dog"], ["money " * 200], [""]]


@pytest.fixture(scope="module")
def pipeline(built):
    return read_context(built[1].parent / "context.json").pipeline


@pytest.fixture
def monitored(pipeline, tmp_path):
    """monitored(server, baseline): Prometheus with the generated files, for seconds instead of minutes and hours."""

    def start(server, baseline):
        write_baseline(baseline, tmp_path)
        target = f"127.0.0.1:{server.ports['metrics']}"
        write_monitoring(tmp_path, pipeline, hold="0s", window="30s", interval="1s", target=target)
        return running(tmp_path / "deploy" / SCRAPE, tmp_path)

    return start


@pytest.mark.long("fused")
def test_the_dashboard_has_values_and_a_broken_server_raises_an_alert(run, built, pipeline, monitored, tmp_path):
    """Kills the server as the supervisor does on a fault: the process ends, and its metrics with it."""
    server, name = run(), built[0]
    golden = of_golden(pipeline, read_golden(built[1].parent / "golden.json"))
    with monitored(server, golden) as prometheus:
        wait_for(lambda: prometheus.targets() == ["up"])
        dashboard = json.loads((tmp_path / "deploy" / DASHBOARD).read_text(encoding="utf-8"))
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        assert len(queries) >= 14
        missing = set(queries)

        def all_have_values():
            ask("grpc", server.address, name, {"text_input": TEXTS})
            for query in list(missing):
                values = prometheus.query(query.replace("$__rate_interval", "15s")).values()
                if any(not math.isnan(value) for value in values):
                    missing.remove(query)
            return not missing

        wait_for(all_have_values, seconds=60)
        assert "TritonServerDown" not in prometheus.firing()
        server.process.terminate()
        server.process.wait(30)
        wait_for(lambda: {"TritonServerDown", "TritonModelAbsent"} <= prometheus.firing())


@ONE_LAYOUT
def test_a_broken_canary_raises_an_alert(built, serving, pipeline, monitored, tmp_path):
    """The golden answers are of another model: the supervisor ends the server, and the restart policy starts it again.

    The test restarts it, as Docker or Kubernetes does. Triton answers a scrape between its start and its end.
    """
    golden = json.loads((serving / "golden.json").read_text(encoding="utf-8"))
    for row in golden["rows"]:
        row["outputs"]["scores"]["data"] = [0.5 for _ in row["outputs"]["scores"]["data"]]
    (tmp_path / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    broken = lay_out_serving(tmp_path / "broken", tmp_path / "golden.json")
    with supervised(built[1], broken, tmp_path) as server, monitored(server, Baseline()) as prometheus:
        assert server.process.wait(60) == 1
        assert "wrong answer" in server.log_text()
        wait_for(lambda: prometheus.targets() == ["down"])
        wait_for(lambda: "TritonModelAbsent" in prometheus.firing())


@ONE_LAYOUT
def test_drift_from_the_evaluated_texts_raises_an_alert(run, built, pipeline, monitored):
    """Served answers of one text only, whose label the baseline calls rare."""
    server, name = run(), built[0]
    answer = ask("grpc", server.address, name, {"text_input": TEXTS[:1]})
    served = answer["predicts"][0, 0].decode()
    labels = {label: float(label != served) / 2 for label in measured.labels(pipeline)}
    baseline = Baseline(source=EVALUATED, answers=1000, shares={"labels": list(labels.items())})
    with monitored(server, baseline) as prometheus:
        wait_for(lambda: prometheus.targets() == ["up"])

        def drifts():
            for _ in range(20):
                ask("grpc", server.address, name, {"text_input": TEXTS[:1] * 8})
            return "TritonLabelsDrift" in prometheus.firing()

        wait_for(drifts)
        assert max(prometheus.query("triton_factory:label_drift").values()) > 0.9


@pytest.mark.long("fused")
def test_the_canary_is_not_counted(run, built):
    address = f"127.0.0.1:{run().ports['metrics']}"
    requests = "nv_inference_request_success", frozenset({("model", built[0]), ("version", "1")})
    wait_for(lambda: scrape(address)[requests] > 5)
    assert [value for (name, _), value in scrape(address).items() if name.endswith("text_tokens_count")] == [0]
