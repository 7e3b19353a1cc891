import pytest

from utils.host.errors import UsageError
from utils.host.numbers import whole_number


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("1000000", 1_000_000), ("007", 7)])
def test_whole_numbers_from_1_up(text, number):
    assert whole_number("--x", text) == number


@pytest.mark.parametrize(
    "text", ["", "0", "000", "-1", "+1", "1.0", "1e3", " 1", "1\n", "1_000", "٤", "²", "x", "1000001", "9" * 5000]
)
def test_the_error_names_the_argument(text):
    with pytest.raises(UsageError) as refusal:
        whole_number("--x", text)
    assert refusal.value.exit_code == 2
    assert str(refusal.value) == f"--x is {text!r}; it must be a whole number from 1 to 1000000"


def test_another_maximum():
    assert whole_number("--x", "8", most=8) == 8
    with pytest.raises(UsageError, match="from 1 to 8"):
        whole_number("--x", "9", most=8)


def test_another_minimum():
    assert whole_number("--x", "0", least=0) == 0
    with pytest.raises(UsageError, match="from 2 to 8"):
        whole_number("--x", "1", least=2, most=8)
