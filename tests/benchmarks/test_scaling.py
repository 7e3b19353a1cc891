"""The simulation of a server, against what can be calculated for it."""

from dataclasses import replace

import pytest

from benchmarks.scaling import Costs, fitted, simulated

EVEN = Costs(tokens=[20] * 256, token=50e-6, alone=0.0, beside=0.0)  # 1 ms for each text, in the graph only


@pytest.mark.parametrize("cpus", [1, 2, 8])
def test_a_server_that_only_computes_keeps_all_cpus_busy(cpus):
    assert simulated(EVEN, cpus, 1, clients=64 * cpus) == pytest.approx(1000 * cpus, rel=0.05)


def test_one_thread_is_the_limit_of_an_instance():
    costs = replace(EVEN, alone=1e-3)
    assert simulated(costs, 1, 1) == pytest.approx(500, rel=0.05)
    assert simulated(costs, 64, 1) < 1000
    assert simulated(costs, 64, 16) > 12 * simulated(costs, 64, 1)


def test_more_instances_than_cpus_gain_nothing():
    costs = replace(EVEN, alone=0.5e-3, beside=0.5e-3)
    assert simulated(costs, 1, 4) == pytest.approx(simulated(costs, 1, 1), rel=0.05)
    assert simulated(costs, 1, 1) == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize("alone", [0.1e-3, 0.4e-3, 1e-3])
def test_the_time_outside_of_the_graph_is_found_from_the_speed(alone):
    costs = Costs(tokens=[10, 20, 30, 60], token=40e-6, alone=alone, beside=0.1e-3)
    found = fitted(replace(costs, alone=0.0), 2, 32, simulated(costs, 2, 1, 32))
    assert found.alone == pytest.approx(alone, rel=0.15)
