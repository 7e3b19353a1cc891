"""Set-up of the project's environments, with a `uv` that records its arguments and installs nothing."""

import dataclasses
import os
import subprocess
import sys
import threading

import pytest

from utils import ROOT
from utils.host import environment
from utils.host.base_python import base_python
from utils.host.environment import ensure
from utils.host.environments import ENVIRONMENTS, Environment
from utils.host.errors import UsageError

UV = """#!/bin/sh
echo "$@" >> "$UV_LOG"
case "$1" in
  venv) for folder; do :; done; exec "$UV_BASE" -m venv --without-pip "$folder" ;;
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
    monkeypatch.setenv("UV_BASE", base_python())
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return lambda: (tmp_path / "uv.log").read_text().splitlines() if (tmp_path / "uv.log").exists() else []


@pytest.fixture
def factory(tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one==1\n")
    return Environment(name="factory", folder=tmp_path / "venv", requirements=(requirements,))


def test_only_the_first_use_sets_up(factory, uv_log, capfd):
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


def test_a_changed_requirement_starts_a_new_set_up(factory, uv_log):
    ensure(factory)
    factory.requirements[0].write_text("one==2\n")
    assert not factory.is_ready()
    ensure(factory)
    assert [line.split()[0] for line in uv_log()] == ["venv", "pip", "pip"]


def test_locked_packages_are_installed_first_and_checked_by_hash(factory, uv_log):
    factory.requirements[0].with_suffix(".lock").write_text("one==1 --hash=sha256:00\n")
    ensure(factory)
    _, locked, rest = uv_log()
    assert locked.endswith(f"--require-hashes --no-deps -r {factory.requirements[0].with_suffix('.lock')}")
    assert rest.endswith(f"-r {factory.requirements[0]}") and "--require-hashes" not in rest


def test_a_lock_does_not_make_a_complete_environment_stale(factory, uv_log):
    """Its packages follow from the requirements: environments made before the lock stay valid."""
    ensure(factory)
    factory.requirements[0].with_suffix(".lock").write_text("one==1 --hash=sha256:00\n")
    assert factory.is_ready()


def test_a_lost_interpreter_starts_a_set_up_in_an_empty_folder(factory, uv_log):
    ensure(factory)
    (factory.folder / "left over").touch()
    factory.python.unlink()
    assert not factory.is_ready()
    ensure(factory)
    assert [line.split()[0] for line in uv_log()] == ["venv", "pip"] * 2
    assert not (factory.folder / "left over").exists()


def test_another_python_on_path_does_not_matter(factory, uv_log, monkeypatch):
    ensure(factory)
    monkeypatch.setattr(sys, "version", "3.99.0 (another)")
    assert factory.is_ready()


def test_an_environment_without_python_record_is_ready(factory, uv_log):
    """Older environments: the digest in their stamp is that of their own Python."""
    ensure(factory)
    (factory.folder / "python.json").unlink()
    assert factory.is_ready()


def test_an_environment_without_pip_is_created_again_without_uv(factory, uv_log, monkeypatch, capfd):
    ensure(factory)
    factory.requirements[0].write_text("# nothing\n")
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    ensure(factory)
    assert factory.is_ready() and "pip" in factory.packages()
    assert "creating it again" in capfd.readouterr().err


def test_an_interrupted_clearing_starts_again(factory, uv_log, monkeypatch):
    ensure(factory)
    factory.python.unlink()
    with monkeypatch.context() as cut_off:
        cut_off.setattr(environment.shutil, "rmtree", lambda path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ensure(factory)
    assert factory.is_damaged()
    ensure(factory)
    assert factory.is_ready()


def test_a_folder_that_is_no_environment_is_not_emptied(factory, uv_log):
    (factory.folder / "bin").mkdir(parents=True)
    (factory.folder / "bin/python").write_text("of others")
    with pytest.raises(UsageError, match="not a virtual environment"):
        ensure(factory)
    assert (factory.folder / "bin/python").read_text() == "of others"
    assert uv_log() == []


def test_a_ready_environment_starts_no_process(factory, uv_log, monkeypatch):
    ensure(factory)
    os.utime(factory.folder / "pyvenv.cfg", ns=(0, 0))
    assert factory.is_ready()  # runs it once
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    assert factory.is_ready()


def test_a_failed_set_up_is_reported_and_not_ready(factory, uv_log, monkeypatch):
    monkeypatch.setenv("UV_PIP_EXIT", "7")
    with pytest.raises(UsageError) as refusal:
        ensure(factory)
    assert refusal.value.exit_code == 2
    assert "exited with 7" in str(refusal.value)
    assert "run the same command again" in str(refusal.value)
    assert not factory.is_ready()
    monkeypatch.setenv("UV_PIP_EXIT", "0")
    ensure(factory)
    assert factory.is_ready()


def test_a_failed_update_removes_the_old_stamp(factory, uv_log, monkeypatch):
    """Otherwise, with the requirement file restored, a half-changed environment would count as ready."""
    ensure(factory)
    before = factory.requirements[0].read_text()
    factory.requirements[0].write_text("one==2\n")
    monkeypatch.setenv("UV_PIP_EXIT", "1")
    with pytest.raises(UsageError):
        ensure(factory)
    factory.requirements[0].write_text(before)
    assert not factory.is_ready()


def test_a_base_is_set_up_first_and_its_changes_count(factory, uv_log, tmp_path):
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


def test_uv_gets_the_find_links_of_pip(factory, uv_log, monkeypatch):
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


def test_without_uv_pip_installs(factory, monkeypatch, capfd):
    run = []
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.setattr(
        environment.children, "with_parent_death_signal", lambda command: run.append(command) or command
    )
    factory.requirements[0].write_text("# nothing\n")
    ensure(factory)
    assert factory.is_ready()
    assert [command[1:4] for command in run] == [["-I", "-m", "venv"], ["-I", "-m", "pip"]]
    assert str(factory.requirements[0]) in run[1]
    assert capfd.readouterr().out == ""


def test_a_python_without_venv_is_reported(factory, tmp_path, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(environment.base_python, "base_python", lambda: str(tmp_path / "python"))
    with pytest.raises(UsageError, match="apt-get install python3-venv"):
        ensure(factory)


class Replaced(Exception):
    """Records the arguments of execv, which is replaced because it does not return."""


@pytest.fixture
def exec_recorded(monkeypatch):
    def execv(path, arguments):
        raise Replaced(str(path), arguments[1:])

    monkeypatch.setattr(environment.os, "execv", execv)


def test_a_module_runs_in_the_environment_with_its_arguments(factory, uv_log, exec_recorded, monkeypatch):
    ensure(factory)
    monkeypatch.setattr(environment, "FACTORY", factory)
    with pytest.raises(Replaced) as replaced:
        environment.main(["some.module", "--flag", "a b"])
    path, arguments = replaced.value.args
    assert path == str(factory.python)
    assert arguments[-2:] == ["--flag", "a b"]
    assert any("some" in argument and "module" in argument for argument in arguments)


def test_another_environment_can_be_selected(factory, uv_log, exec_recorded, monkeypatch):
    other = dataclasses.replace(factory, name="dev")
    monkeypatch.setitem(ENVIRONMENTS, "dev", other)
    with pytest.raises(Replaced):
        environment.main(["--environment", "dev", "some.module"])
    assert other.is_ready()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["utils.make_triton_image", "m", "t", "l", "Bad Name"], "MODEL_NAME"),
        (["utils.make_triton_image", "./nowhere", "t", "-"], "MODEL './nowhere' does not exist"),
        (["utils.process_template"], "see process_template.sh --help"),
    ],
)
def test_invalid_arguments_are_reported_before_a_set_up(factory, uv_log, exec_recorded, monkeypatch, argv, expected):
    monkeypatch.setattr(environment, "FACTORY", factory)
    with pytest.raises(Exception, match=expected):
        environment.main(argv)
    assert uv_log() == []
    assert not factory.folder.exists()


@pytest.mark.parametrize("module", ["make_triton_image", "process_template", "verify"])
def test_arguments_are_read_by_a_python_without_packages(module):
    """As on a machine before the first set-up; this project's environments have the packages."""
    command = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import utils.{module}"
    subprocess.run([base_python(), "-I", "-S", "-c", command], check=True)


def test_the_requirement_files_exist():
    assert all(path.is_file() for each in ENVIRONMENTS.values() for path in each.requirements)
    assert ENVIRONMENTS["serving"].folder != ENVIRONMENTS["factory"].folder
