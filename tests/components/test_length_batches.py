import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.repository.served_code import load_shared

length_batches = load_shared("length_batches").length_batches


@given(st.lists(st.integers(1, 600)), st.integers(1, 1024))
def test_every_row_runs_once_within_the_budget(lengths, budget):
    groups = length_batches(lengths, budget)
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[place] for place in group)
        assert len(group) == 1 or longest * len(group) <= budget


def test_the_limit_of_rows_per_group():
    assert length_batches([4, 4, 4, 9, 4], 512, max_rows=2) == [[3, 0], [1, 2], [4]]


@given(st.lists(st.integers(1, 600), min_size=1))
def test_rows_of_similar_length_are_grouped(lengths):
    in_order = [lengths[place] for group in length_batches(lengths, 512) for place in group]
    assert in_order == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    ("lengths", "budget", "groups"),
    [([], 512, []), ([9], 4, [[0]]), ([4, 4, 4], 8, [[0, 1], [2]]), ([2, 8, 2, 2], 8, [[1], [0, 2, 3]])],
)
def test_groups(lengths, budget, groups):
    assert length_batches(lengths, budget) == groups


@pytest.mark.parametrize(
    ("lengths", "budget", "threads", "spread"),
    [
        ([26] * 64, 256, 2, 208),
        ([26] * 64, 128, 2, 128),
        ([26] * 4, 256, 2, 48),
        ([600], 256, 4, 48),
        ([], 256, 2, 48),
        ([26] * 4, 256, 1, 256),
    ],
)
def test_few_rows_are_spread_over_threads(lengths, budget, threads, spread):
    assert load_shared("length_batches").spread(lengths, budget, threads) == spread
