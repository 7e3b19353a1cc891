"""The search itself, on servers whose speed is a function of the setting."""

import math

import pytest

from benchmarks.closed_loop import Figures
from benchmarks.contest import as_table, changed, contest, descend, measurements, speed
from utils.host.errors import BootProofError

START = {"threads": 2, "batch_delay": 500}
KNOBS = {
    "threads": [{"threads": 1}, {"threads": 2}, {"threads": 4}],
    "batch_delay": [{"batch_delay": 0}, {"batch_delay": 500}],
}


def figures(rate):
    return Figures(requests_per_second=rate, p50_ms=1e3 / rate, p99_ms=2e3 / rate, cpu_ms=1.0)


class Machine:
    """`rates(setting)` requests a second, of which the machine gives less with every measurement."""

    def __init__(self, rates, drift=1.0):
        self.rates, self.drift, self.measured = rates, drift, []

    def measure(self, setting):
        self.measured.append(dict(setting))
        return [figures(rate * self.drift ** len(self.measured)) for rate in self.rates(setting)]


def search(machine, fits=lambda _: True, rounds=3):
    shown = []
    found = descend(START, KNOBS, machine.measure, rounds=rounds, fits=fits, show=lambda *each: shown.append(each))
    return found, shown


def test_speed_is_the_geometric_mean_over_the_clients():
    assert speed([figures(400), figures(50)], [figures(100), figures(50)]) == pytest.approx(2)
    assert speed([figures(200), figures(50)], [figures(100), figures(100)]) == pytest.approx(1)


def test_a_round_begins_and_ends_with_the_one_to_beat():
    machine = Machine(lambda setting: [100 * setting["threads"]])
    held = contest(START, [{**START, "threads": 4}, {**START, "threads": 1}], machine.measure, rounds=2)
    assert [each["threads"] for each in machine.measured] == [2, 4, 1, 2] * 2
    assert len(machine.measured) == measurements(2, rounds=2)
    assert [round(row.gain, 6) for row in held.rows] == [1, 2, 0.5]
    assert held.noise == 0
    assert held.winner.setting["threads"] == 4


def test_a_machine_that_slows_down_makes_noise_and_no_winner():
    machine = Machine(lambda _: [100], drift=0.9)
    held = contest(START, [{**START, "threads": 4}], machine.measure, rounds=3)
    assert held.noise == pytest.approx(0.9**-2 - 1)
    assert held.rows[1].gain == pytest.approx(1)  # it stands in the middle of its round
    assert held.winner is None


@pytest.mark.parametrize(("gain", "wins"), [(1.2, False), (1.3, True)])
def test_a_gain_must_exceed_the_noise(gain, wins):
    machine = Machine(lambda setting: [100 * gain if setting["threads"] == 4 else 100], drift=0.9)
    held = contest(START, [{**START, "threads": 4}], machine.measure, rounds=3)
    assert bool(held.winner) is wins


def test_what_cannot_be_served_drops_out(capsys):
    def measure(setting):
        if setting["threads"] == 4:
            raise BootProofError("Triton did not start; its log says:\nout of memory")
        return [figures(100)]

    held = contest(START, [{**START, "threads": 4}, {**START, "threads": 1}], measure, rounds=2)
    assert [row.setting["threads"] for row in held.rows] == [2, 1]
    assert "threads 4, batch_delay 500 cannot be served: out of memory" in capsys.readouterr().err


def test_the_one_to_beat_must_be_served():
    def measure(_):
        raise BootProofError("no")

    with pytest.raises(BootProofError):
        contest(START, [], measure, rounds=1)


def test_each_knob_goes_on_with_the_best_so_far():
    machine = Machine(lambda setting: [100 * setting["threads"], 1e4 / (100 + setting["batch_delay"])])
    found, shown = search(machine)
    assert (found.best, found.tried, found.untried) == ({"threads": 4, "batch_delay": 0}, tuple(KNOBS), ())
    assert [name for name, _ in shown] == list(KNOBS)
    assert shown[1][1].rows[0].setting == {"threads": 4, "batch_delay": 500}


def test_where_nothing_wins_the_start_is_the_best():
    found, _ = search(Machine(lambda _: [100, 10]))
    assert (found.best, found.tried) == (START, tuple(KNOBS))


def test_a_value_that_stands_already_is_not_tried():
    machine = Machine(lambda _: [100])
    search(machine, rounds=1)
    assert [changed(START, each) for each in machine.measured] == [
        {}, {"threads": 1}, {"threads": 4}, {}, {}, {"batch_delay": 0}, {}
    ]  # fmt: skip


def test_a_knob_without_time_is_named_and_the_next_may_fit():
    machine = Machine(lambda _: [100])
    found, _ = search(machine, fits=lambda count: count <= 6, rounds=1)
    assert (found.tried, found.untried) == (("batch_delay",), ("threads",))
    assert search(Machine(lambda _: [100]), fits=lambda _: False)[0].tried == ()


def test_the_last_contest_is_counted():
    """Of 3 rounds with 2 challengers, 12 measurements; and 9 to hold the best against the start."""
    counts = []
    search(Machine(lambda _: [100]), fits=lambda count: bool(counts.append(count)), rounds=3)
    assert counts == [21, 18]


def test_the_table_says_what_was_changed_and_who_wins():
    machine = Machine(lambda setting: [100 * setting["threads"], 50])
    held = contest(START, [{**START, "threads": 4}, {**START, "threads": 1}], machine.measure, rounds=1)
    lines = as_table("threads", held, (32, 1)).strip().splitlines()
    assert lines[0] == "threads: noise 0.0%"
    assert [line.split(" | ")[:2] for line in lines[4:]] == [
        ["| to beat", "32"], ["| to beat", "1"], ["| threads 4", "32"], ["| threads 4", "1"],
        ["| threads 1", "32"], ["| threads 1", "1"],
    ]  # fmt: skip
    assert [line.endswith(f"| {math.sqrt(2):.2f} wins |") for line in lines[4:]] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert all(line.count("|") == lines[2].count("|") for line in lines[2:])
