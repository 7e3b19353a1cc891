"""Ratios within a round, goals, and the page, on figures made up here."""

import copy
import json

import pytest

from benchmarks import report
from benchmarks.contestant import FP32, INT8
from benchmarks.figures import by_round, contestants_of, loads_of, middle, ratios
from benchmarks.goals import BUSY, GOALS, OURS, Goal, memory, ratio
from benchmarks.measure import best
from benchmarks.padding import WAYS

# texts/s of each round: a machine that is half as fast in the second one.
SPEEDS = {
    FP32: (400, 200, 400),
    INT8: (800, 400, 800),
    "fused": (300, 160, 320),
    "documented ensemble": (200, 100, 200),
}


TRIED = [
    {
        "setting": {"sessions": 1, "parallel": 2, "spinning": spinning, "token_budget": 256, "window": 64},
        "texts_per_second": speed,
        "cpu_ms_per_text": cost,
    }
    for spinning, speed, cost in ((0, 99.0, 8.0), (1, 100.0, 9.0), (1, 90.0, 7.0))
]


def row(contestant, load, number, speed):
    figures = {"cpu_ms_per_text": 1000 / speed, "p50_ms": 5.0, "p99_ms": 9.0}
    return {"contestant": contestant, "load": load, "round": number, "texts_per_second": speed, **figures}


@pytest.fixture
def result():
    return copy.deepcopy(
        {
            "command": "benchmarks/run.sh",
            "machine": "a machine",
            "rounds": 3,
            "seconds": 4.0,
            "rows": [row(name, BUSY, number, speeds[number]) for number in range(3) for name, speeds in SPEEDS.items()],
            "padding": {"mixed": dict.fromkeys(WAYS, 0.5)},
            "limits_tried": {FP32: {"mixed texts, 64 in memory": TRIED}},
            "second_build_seconds": 2.5,
            "alone": {
                FP32: {"rss_mb": 100.0},
                "fused": {"cold_start_seconds": 1.9, "rss_mb": 170.0, "same_label": 0.9, "agreement": 1.0},
            },
            "texts_compared": 400,
            "unavailable": {"infinity": "not installable: no such wheel"},
        }
    )


def test_ratios_are_taken_within_a_round(result):
    assert ratios(result, ("fused",), FP32, BUSY, "texts_per_second") == [0.75, 0.8, 0.8]
    assert middle(ratios(result, ("fused",), FP32, BUSY, "texts_per_second")) == 0.8


def test_the_best_of_several_is_taken_in_each_round(result):
    result["rows"] += [row("ensemble", BUSY, number, speed) for number, speed in enumerate((400, 100, 100))]
    assert ratios(result, ("fused", "ensemble"), FP32, BUSY, "texts_per_second") == [1.0, 0.8, 0.8]


def test_a_round_that_lacks_one_of_the_two_gives_no_ratio(result):
    result["rows"] = [row for row in result["rows"] if (row["contestant"], row["round"]) != ("fused", 1)]
    assert ratios(result, ("fused",), FP32, BUSY, "texts_per_second") == [0.75, 0.8]
    assert ratios(result, ("ensemble",), FP32, BUSY, "texts_per_second") == []
    assert middle([]) is None


def test_what_was_measured_keeps_its_order(result):
    assert loads_of(result) == [BUSY]
    assert contestants_of(result, BUSY) == list(SPEEDS)
    assert by_round(result, "fused", BUSY, "no such figure") == {}


@pytest.mark.parametrize(
    ("goal", "line"),
    [
        ({"at_least": 0.8}, "| what | at least 0.8 | 0.80 | 0.80 |"),
        ({"at_least": 0.9}, "| what | at least 0.9 | **0.80** | **0.80** |"),
        ({"at_most": 0.8}, "| what | at most 0.8 | 0.80 | 0.80 |"),
        ({"at_most": 0.7}, "| what | at most 0.7 | **0.80** | **0.80** |"),
    ],
)
def test_a_goal_says_whether_it_is_met(result, goal, line):
    assert Goal(what="what", values=ratio("fused", FP32), **goal).line([result, result]) == line


def test_a_goal_that_was_not_measured_is_not_called_met(result):
    assert Goal(what="what", values=ratio("FastAPI", FP32), at_least=1).line([result]) == (
        "| what | at least 1 | not measured |"
    )
    assert memory("fused")(result) == [1.7]
    assert memory("ensemble")(result) == []


def test_of_settings_as_fast_the_one_that_spends_least_is_the_limit():
    assert best(TRIED) is TRIED[0]
    assert best(TRIED[1:]) is TRIED[1]


def test_every_goal_has_one_bound():
    assert all((goal.at_least is None) != (goal.at_most is None) for goal in GOALS)
    assert {"fused", "fused int8", "ensemble"} <= set(OURS)


def test_the_page_has_a_table_a_load_the_goals_and_the_plots(result, tmp_path, monkeypatch):
    monkeypatch.setattr(report.plots, "draw", lambda *_: iter(()))
    page = report.write_report({"avx2": json.loads(json.dumps(result))}, "avx2", tmp_path / "made").read_text()
    assert "| fused | 300 | 0.80 | 3.33 | 1.25 |  | 5.0 | 9.0 |" in page
    assert "| limit fp32 | 400 | 1.00 | 2.50 | 1.00 |  | 5.0 | 9.0 |" in page
    assert "| fused: texts/s, share of the limit | at least 0.95 | **0.80** |" in page
    assert "| fused: resident memory, of the bare process's | at most 1.6 | **1.70** |" in page
    assert "| fused | 1.9 | 170 |  | 90.00% | 100.00% |  |" in page
    assert f"`benchmarks/run.sh --loads {BUSY}`" in page
    assert "infinity-emb on PyTorch; **not installable: no such wheel**" in page
    assert (
        "| limit fp32, mixed texts, 64 in memory | 1x2 256 64 | 1x2 256 64: 99, 1x2+ 256 64: 100, 1x2+ 256 64: 90 |"
        in page
    )
    assert "| limit fp32 |  | 100 |  |  |  |  |" in page
    assert page.endswith(report.NOTES.read_text(encoding="utf-8"))


def test_each_kind_of_processor_has_its_figures(result, tmp_path, monkeypatch):
    """The page shows all that were kept; the goals have a column for each."""
    monkeypatch.setattr(report.plots, "draw", lambda *_: iter(()))
    other = {**result, "machine": "another machine", "rows": result["rows"][:1]}
    page = report.write_report({"amx": other, "avx2": result}, "avx2", tmp_path).read_text()
    assert "| | goal | amx | avx2 |" in page
    assert "| fused: texts/s, share of the limit | at least 0.95 | not measured | **0.80** |" in page
    assert page.index("## Figures: amx") < page.index("another machine") < page.index("## Figures: avx2")
