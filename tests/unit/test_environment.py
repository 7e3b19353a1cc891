"""Set-up of the project's environments, with a `uv` that records what it is asked and makes a folder of nothing."""

import dataclasses
import os
import sys
import threading

import pytest

from utils import environment
from utils.environment import ENVIRONMENTS, Environment, ensure
from utils.errors import UsageError

UV = """#!/bin/sh
echo "$@" >> "$UV_LOG"
case "$1" in
  venv) for folder; do :; done; mkdir -p "$folder/bin"; : > "$folder/bin/python" ;;
  pip) exit "${UV_PIP_EXIT:-0}" ;;
esac
"""


@pytest.fixture
def uv_log(tmp_path, monkeypatch):
    """The lines that the recording uv on PATH was called with."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text(UV)
    (tools / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("UV_LOG", str(tmp_path / "uv.log"))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return lambda: (tmp_path / "uv.log").read_text().splitlines() if (tmp_path / "uv.log").exists() else []


@pytest.fixture
def factory(tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one==1\n")
    return Environment(name="factory", folder=tmp_path / "venv", requirements=(requirements,))


def test_the_first_use_sets_up_and_the_second_does_not(factory, uv_log, capfd):
    assert not factory.is_ready()
    assert ensure(factory) == factory.folder / "bin" / "python"
    assert [line.split()[0] for line in uv_log()] == ["venv", "pip"]
    assert str(factory.requirements[0]) in uv_log()[1]
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "first use" in captured.err
    assert factory.is_ready()
    ensure(factory)
    assert len(uv_log()) == 2


def test_a_changed_requirement_sets_up_anew(factory, uv_log):
    ensure(factory)
    factory.requirements[0].write_text("one==2\n")
    assert not factory.is_ready()
    ensure(factory)
    assert len(uv_log()) == 4


def test_a_lost_interpreter_sets_up_anew(factory, uv_log):
    ensure(factory)
    factory.python.unlink()
    assert not factory.is_ready()


def test_another_python_sets_up_anew(factory, uv_log, monkeypatch):
    ensure(factory)
    monkeypatch.setattr(sys, "version", "3.99.0 (another)")
    assert not factory.is_ready()


def test_a_failed_set_up_says_what_to_do_and_is_not_taken_for_ready(factory, uv_log, monkeypatch):
    monkeypatch.setenv("UV_PIP_EXIT", "7")
    with pytest.raises(UsageError) as refusal:
        ensure(factory)
    assert refusal.value.exit_code == 2
    assert "ended with 7" in str(refusal.value)
    assert "run the same command again" in str(refusal.value)
    assert not factory.is_ready()
    monkeypatch.setenv("UV_PIP_EXIT", "0")
    ensure(factory)
    assert factory.is_ready()


def test_a_set_up_that_fails_over_an_older_one_takes_its_stamp_away(factory, uv_log, monkeypatch):
    """Else, put back to what it was, the requirement file would call a half-changed environment ready."""
    ensure(factory)
    before = factory.requirements[0].read_text()
    factory.requirements[0].write_text("one==2\n")
    monkeypatch.setenv("UV_PIP_EXIT", "1")
    with pytest.raises(UsageError):
        ensure(factory)
    factory.requirements[0].write_text(before)
    assert not factory.is_ready()


def test_a_base_is_set_up_first_and_its_change_counts(factory, uv_log, tmp_path):
    (tmp_path / "dev.txt").write_text("two==2\n")
    dev = Environment(
        name="dev", folder=factory.folder, requirements=(tmp_path / "dev.txt",), dependencies=False, base=factory
    )
    ensure(dev)
    assert factory.is_ready()
    assert dev.is_ready()
    pips = [line for line in uv_log() if line.startswith("pip")]
    assert ["--no-deps" in line for line in pips] == [False, True]
    assert [str(tmp_path / "dev.txt") in line for line in pips] == [False, True]
    factory.requirements[0].write_text("one==2\n")
    assert not dev.is_ready()


def test_uv_is_told_where_pip_would_look(factory, uv_log, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    ensure(factory)
    assert "--find-links /wheels --find-links /more" in uv_log()[1]


def test_parallel_callers_set_up_once(factory, uv_log):
    threads = [threading.Thread(target=ensure, args=(factory,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(uv_log()) == 2


def test_without_uv_pip_does_it(factory, tmp_path, monkeypatch, capfd):
    asked = tmp_path / "pip.log"

    def create(folder, with_pip):
        assert with_pip
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").write_text(f'#!/bin/sh\necho "$@" > "{asked}"\necho noise\n')
        (folder / "bin" / "python").chmod(0o755)

    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.setattr(environment.venv, "create", create)
    ensure(factory)
    assert factory.is_ready()
    assert asked.read_text().split()[:3] == ["-m", "pip", "install"]
    assert str(factory.requirements[0]) in asked.read_text()
    out, err = capfd.readouterr()
    assert out == ""
    assert "noise" in err


def test_a_python_that_is_too_old_is_told_before_anything_is_made(factory, uv_log, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(sys, "version", "3.9.1 (old)")
    with pytest.raises(UsageError, match=r"python3 is 3\.9\.1; Python 3\.10 or newer is needed"):
        ensure(factory)
    assert not factory.folder.exists()
    assert uv_log() == []


class Replaced(Exception):
    """What the process would have become: it stands for execv, which does not return."""


@pytest.fixture
def exec_recorded(monkeypatch):
    def execv(path, arguments):
        raise Replaced(str(path), arguments[1:])

    monkeypatch.setattr(environment.os, "execv", execv)


def test_a_module_is_run_by_the_interpreter_inside_with_its_arguments(factory, uv_log, exec_recorded, monkeypatch):
    ensure(factory)
    monkeypatch.setattr(environment, "FACTORY", factory)
    with pytest.raises(Replaced) as replaced:
        environment.main(["some.module", "--flag", "a b"])
    path, arguments = replaced.value.args
    assert path == str(factory.python)
    assert arguments[-2:] == ["--flag", "a b"]
    assert any("some" in argument and "module" in argument for argument in arguments)


def test_another_environment_can_be_named(factory, uv_log, exec_recorded, monkeypatch):
    other = dataclasses.replace(factory, name="dev")
    monkeypatch.setitem(ENVIRONMENTS, "dev", other)
    with pytest.raises(Replaced):
        environment.main(["--environment", "dev", "some.module"])
    assert other.is_ready()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["utils.make_triton_image", "m", "t", "l", "Bad Name"], "MODEL_NAME"),
        (["utils.make_triton_image", "./nowhere", "t", "-"], "MODEL './nowhere' is no file or folder"),
        (["utils.process_template"], "see process_template.sh --help"),
    ],
)
def test_a_mistake_is_told_before_anything_is_installed(factory, uv_log, exec_recorded, monkeypatch, argv, said):
    monkeypatch.setattr(environment, "FACTORY", factory)
    with pytest.raises(Exception, match=said):
        environment.main(argv)
    assert uv_log() == []
    assert not factory.folder.exists()


def test_the_files_that_environments_are_made_from_exist():
    assert all(path.is_file() for each in ENVIRONMENTS.values() for path in each.requirements)
    assert ENVIRONMENTS["serving"].folder != ENVIRONMENTS["factory"].folder
