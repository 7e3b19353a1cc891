"""How many processes the guard has."""

import pytest

from deploy.supervisor import guard_processes, settings
from deploy.supervisor.errors import SettingError


@pytest.mark.parametrize(("cpus", "expected"), [(1, 1), (2, 1), (4, 1), (7, 1), (8, 2), (16, 4), (64, 16), (256, 16)])
def test_the_cpus_give_the_number(monkeypatch, cpus, expected):
    monkeypatch.setattr(guard_processes, "cpu_count", lambda: cpus)
    assert guard_processes.number(0, has_json_log=False) == expected


def test_the_setting_gives_the_number(monkeypatch):
    monkeypatch.setattr(guard_processes, "cpu_count", lambda: 64)
    chosen = settings.read({"TRITON_GUARD_PROCESSES": "3"}).guard_processes
    assert guard_processes.number(chosen, has_json_log=False) == 3
    for text in ("0", "17", "two"):
        with pytest.raises(SettingError, match="TRITON_GUARD_PROCESSES"):
            settings.read({"TRITON_GUARD_PROCESSES": text})


def test_a_json_log_has_one_process_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(guard_processes, "cpu_count", lambda: 16)
    assert guard_processes.number(0, has_json_log=True) == 1
    assert "one process instead of 4" in capsys.readouterr().err
    assert guard_processes.number(1, has_json_log=True) == 1
    with pytest.raises(SettingError, match="TRITON_GUARD_PROCESSES is 2, but with TRITON_LOG_FORMAT=json"):
        guard_processes.number(2, has_json_log=True)
