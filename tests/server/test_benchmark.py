"""The benchmark's trial run: it measures real servers, and writes its page and its plots."""

import json
import shutil
import subprocess
import sys

import pytest

from benchmarks.setting_cost import CLIENTS, FIGURES
from benchmarks.spent import PARTS
from tests import shared_conversions
from utils import ROOT
from utils.host.build_tree import BUILD


def printed(module, *arguments):
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=ROOT)
    return done.stdout if done.returncode == 0 else done.stderr


@pytest.fixture(scope="module")
def trial(tmp_path_factory, tiny_bert):
    """The folder of the page, the figures, what was spent, and what a setting and the guard cost."""
    folder = tmp_path_factory.mktemp("trial")
    command = [ROOT / "benchmarks/run.sh", "--quick", "--model", tiny_bert, "--seconds", "0.5"]
    command += ["--figures", folder / "figures.json", "--out", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=shared_conversions.environment())
    repository = BUILD / "benchmark-fused/latest/model_repository"
    (folder / "spent.md").write_text(
        printed("spent", repository / "benchmark-fused/1", "--seconds", "0.2", "--window", "4")
    )
    setting = (repository, "TRITON_LOG_FORMAT=text,json", "--rounds", "1", "--seconds", "0.3")
    (folder / "setting.md").write_text(printed("setting_cost", *setting))
    (folder / "guard.md").write_text(printed("guard_latency", repository, "--rounds", "2"))
    for name in ("benchmark-fused", "benchmark-ensemble"):
        shutil.rmtree(BUILD / name, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{folder / 'performance.md'}\n"
    return folder


@pytest.mark.long
def test_a_trial_run_measures_and_writes_the_page(trial):
    figures = json.loads((trial / "figures.json").read_text())
    measured = {(row["contestant"], row["load"]) for row in figures["rows"]}
    contestants = ("limit fp32", "fused", "documented ensemble")
    assert measured == {(name, load) for name in contestants for load in ("mixed-grpc-1x1", "mixed-grpc-8x1")}
    assert all(row["texts_per_second"] > 0 and row["cpu_ms_per_text"] > 0 for row in figures["rows"])
    for name in contestants[1:]:
        alone = figures["alone"][name]
        assert alone["same_label"] == 1.0
        assert alone["rss_mb"] > 20
        assert 0.1 < alone["cold_start_seconds"] < 60
    page = (trial / "performance.md").read_text()
    assert "| documented ensemble |" in page
    assert "| fused: times the documented ensemble | at least 1.6 | not measured |" in page  # a goal is for 32 clients
    plots = sorted(path.name for path in trial.glob("*.png"))
    assert len(plots) == 6
    assert all(f"]({name})" in page for name in plots)


@pytest.mark.long
def test_what_a_fused_model_spends_is_reported_by_part_and_by_operator(trial):
    parts, operators = (table.splitlines()[2:] for table in (trial / "spent.md").read_text().split("\n\n"))
    assert [line.split(" | ")[0] for line in parts] == [f"| {part}" for part in PARTS]
    shares = {line.split(" | ")[0][2:]: float(line.split(" | ")[1].rstrip("%")) for line in operators}
    assert shares["MatMul"] > 1
    assert 50 < sum(shares.values()) <= 100.5


@pytest.mark.long
def test_what_a_setting_costs_is_reported_for_each_crowd(trial):
    rows = [line.strip("| ").split(" | ") for line in (trial / "setting.md").read_text().splitlines()[2:]]
    assert [row[:2] for row in rows] == [[str(clients), figure] for clients in CLIENTS for figure in FIGURES.values()]
    assert all(float(without) > 0 and float(chosen) > 0 for _, _, without, chosen, _ in rows)


@pytest.mark.long
def test_what_the_guard_costs_one_client_is_reported_for_each_way(trial):
    rows = [line.strip("| ").split(" | ") for line in (trial / "guard.md").read_text().splitlines()[2:]]
    assert [row[0] for row in rows][:3] == ["no proxy", "guard, processes: 1", "guard, processes: 2"]
    assert all(
        int(p50.replace(",", "")) > 0 and (name == "no proxy") == (spent == "0") for name, p50, *_, spent in rows
    )


def test_what_the_guard_costs_at_most_is_reported_where_the_load_can_be_made():
    """wrk and nginx are not needed by any other test: without them the command names them."""
    output = printed("guard", "--rounds", "1", "--seconds", "1")
    if shutil.which("wrk") and shutil.which("nginx"):
        assert "| 32 | guard, processes: 2 |" in output
    else:
        assert "apt-get install wrk nginx-light" in output
