import pytest

from utils.host import source_date
from utils.host.errors import UsageError


def test_the_stated_time_is_used(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert source_date.of_files() == 1700000000
    assert source_date.as_text(source_date.now()) == "2023-11-14T22:13:20Z"


def test_files_have_one_time_without_it(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert (source_date.stated(), source_date.of_files()) == (None, 0)


@pytest.mark.parametrize("text", ["yesterday", "-1", "1.5", "١", "9" * 12])
def test_another_value_is_refused(monkeypatch, text):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    with pytest.raises(UsageError, match="whole number of seconds since 1970"):
        source_date.stated()
