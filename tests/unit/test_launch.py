import signal
import sys

import pytest

from utils import launch


def test_a_module_runs_from_the_project_with_its_arguments(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["launch.py", "utils.cleanup", "--help"])
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setattr(launch.signal, "signal", lambda *_: None)  # the test runner keeps its own
    with pytest.raises(SystemExit) as end:
        launch.main()
    assert end.value.code == 0
    assert sys.path[0] == str(launch.__file__).rpartition("/utils/")[0]
    assert "" not in sys.path


def test_an_old_python_is_reported_without_a_newer_environment(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(launch, "__file__", str(tmp_path / "utils/launch.py"))
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").write_text("of another machine")
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert launch.main() == 2
    assert capsys.readouterr().err == "error: python3 is 3.9; Python 3.11 or newer is needed: put one on PATH\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_early_signal_exits_without_a_traceback(start_child, number):
    code = (
        "import runpy, sys, time\n"
        "from utils import launch\n"
        "runpy.run_module = lambda *_, **__: (print('here', flush=True), time.sleep(30))\n"
        "sys.argv = ['launch.py', 'utils.cleanup']\n"
        "launch.main()\n"
    )
    child = start_child(code)
    assert child.stdout.readline() == "here\n"
    child.send_signal(number)
    assert child.wait(timeout=10) == 128 + number
    assert child.stderr.read() == ""
