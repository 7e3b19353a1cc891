"""Numbers as a person reads them."""

import pytest

from utils.report.units import number, percent, seconds, size


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_600, "1 MB"), (438_123_456, "438 MB"), (2.5e12, "2.5 TB")],
)
def test_size(count, text):
    assert size(count) == text


@pytest.mark.parametrize(("value", "text"), [(0.00104, "1.04 ms"), (0.25, "250 ms"), (0.9999, "1 s"), (12.3, "12 s")])
def test_seconds(value, text):
    assert seconds(value) == text


def test_others():
    assert (number(2.98e-07), number(0), percent(0.99254), percent(1)) == ("2.98e-07", "0", "99.25%", "100%")
