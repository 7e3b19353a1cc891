"""The child process and its time limit, with a storage that misbehaves on request."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from utils.host.environments import ENVIRONMENTS, Environment
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, STORAGES, Row, StorageRef, bounded, parse_reference

STORAGE = """
import os, subprocess, sys, time
from pathlib import Path
from utils.host.environments import ENVIRONMENTS, Environment
from utils.host.errors import SourceError

def resolve(locator):
    if locator == "hang":
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {grandchild.pid}")
        time.sleep(60)
    if locator == "refuse":
        raise SourceError("no such thing; look for another, e.g. 'caf\\u00e9'")
    if locator == "break":
        raise RuntimeError("first line with a-secret-token\\nsecond line")
    if locator == "die":
        os._exit(9)
    if locator == "noise":
        print("printed by a library")
        os.write(1, b"written by a library\\n")
        subprocess.run(["echo", "expected by a tool"], check=True)
    if locator == "leave":
        orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {orphan.pid}")
    return sys.executable if locator == "where" else f"revision of {locator}"

def fetch(locator, revision, patterns, destination):
    destination.mkdir(parents=True)
    (destination / "seen").write_text(repr((locator, revision, patterns, os.environ["ORT_DISABLE_TELEMETRY"])))
    return destination
"""


@pytest.fixture(autouse=True)
def pids(tmp_path, monkeypatch):
    """Adds the row `odd:`; the result is the file where a hanging child writes the processes there are."""
    (tmp_path / "odd_storage.py").write_text(STORAGE)
    monkeypatch.setitem(STORAGES, "odd", Row(module="odd_storage"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    return tmp_path / "pids"


def _odd(locator):
    return StorageRef(scheme="odd", locator=locator)


def _alive(pid):
    """A killed orphan stays in the table as a zombie where the container's first process collects none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _assert_all_gone(pids):
    deadline = time.monotonic() + 5
    numbers = [int(number) for number in pids.read_text().split()]
    assert len(numbers) == 2
    while any(map(_alive, numbers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [number for number in numbers if _alive(number)]


def test_results_are_returned(tmp_path):
    assert bounded.resolve(_odd("good"), limit=20) == "revision of good"
    artifact = bounded.fetch(_odd("good"), "r1", METADATA, tmp_path / "out", limit=20)
    assert (artifact.path, artifact.revision) == (tmp_path / "out", "r1")
    assert (tmp_path / "out" / "seen").read_text() == repr(("good", "r1", METADATA, "1"))


def test_a_relative_destination_is_below_the_callers_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bounded.fetch(_odd("good"), "r1", METADATA, Path("out"), limit=20).path == tmp_path / "out"


def test_a_folder_named_utils_in_the_current_folder_is_ignored(tmp_path, monkeypatch):
    (tmp_path / "here" / "utils").mkdir(parents=True)
    (tmp_path / "here" / "utils" / "__init__.py").write_text("raise RuntimeError('the wrong utils')")
    (tmp_path / "here" / "json.py").write_text("raise RuntimeError('the wrong json')")
    monkeypatch.chdir(tmp_path / "here")
    assert bounded.resolve(_odd("good"), limit=20) == "revision of good"


def test_local_runs_in_this_process(model_folder, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    reference = parse_reference(str(model_folder))
    revision = bounded.resolve(reference, limit=1)
    artifact = bounded.fetch(reference, revision, METADATA, model_folder / "unused", limit=1)
    assert (artifact.path, artifact.revision) == (model_folder, revision)


def test_the_limit_ends_the_whole_group(pids):
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        bounded.resolve(_odd("hang"), limit=3.5)
    assert time.monotonic() - started < 8
    message = str(caught.value)
    assert "odd:hang" in message
    assert "3.5 seconds" in message
    assert "--fetch-timeout SECONDS" in message
    assert caught.value.exit_code == 3
    _assert_all_gone(pids)


def test_processes_of_an_sdk_end_with_the_child(pids):
    assert bounded.resolve(_odd("leave"), limit=20) == "revision of leave"
    _assert_all_gone(pids)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_signal_to_the_parent_ends_the_child(pids, number, status):
    """After SIGKILL of the parent, the kernel ends the child."""
    program = textwrap.dedent("""
        from utils.host import entry
        from utils.sources.storage import STORAGES, Row, StorageRef, bounded
        STORAGES["odd"] = Row(module="odd_storage")
        entry.run(lambda: bounded.resolve(StorageRef(scheme="odd", locator="hang"), limit=50))
    """)
    environment = {**os.environ, "PYTHONPATH": f"{bounded.ROOT}{os.pathsep}{pids.parent}"}
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    )
    deadline = time.monotonic() + 20
    while not (pids.exists() and len(pids.read_text().split()) == 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    parent.send_signal(number)
    assert parent.wait(timeout=10) == status
    if number == signal.SIGKILL:
        grandchild = int(pids.read_text().split()[1])
        os.kill(grandchild, signal.SIGKILL)  # the kernel does not end what the child started
    _assert_all_gone(pids)
    parent.communicate()


def test_a_source_error_is_raised_unchanged(capfd):
    with pytest.raises(SourceError) as caught:
        bounded.resolve(_odd("refuse"), limit=20)
    assert str(caught.value) == "no such thing; look for another, e.g. 'café'"
    assert capfd.readouterr() == ("", "")


def test_an_unexpected_error_is_one_sentence_without_secrets(capfd, monkeypatch):
    monkeypatch.setenv("ODD_TOKEN", "a-secret-token")
    with pytest.raises(SourceError) as caught:
        bounded.resolve(_odd("break"), limit=20)
    assert str(caught.value) == (
        "odd:break could not be read (RuntimeError: first line with ***); run again with --debug for the traceback"
    )
    assert capfd.readouterr() == ("", "")


def test_debug_adds_the_childs_traceback_without_secrets(capfd, monkeypatch):
    monkeypatch.setenv("ODD_TOKEN", "a-secret-token")
    monkeypatch.setenv("TRITON_FACTORY_DEBUG", "1")
    with pytest.raises(SourceError):
        bounded.resolve(_odd("break"), limit=20)
    shown = capfd.readouterr().err
    assert "Traceback" in shown
    assert "odd_storage.py" in shown
    assert "a-secret-token" not in shown


def test_a_child_that_dies_is_reported_with_its_status():
    with pytest.raises(SourceError, match=r"odd:die exited with status 9"):
        bounded.resolve(_odd("die"), limit=20)


def test_output_on_stdout_is_not_part_of_the_result(capfd):
    assert bounded.resolve(_odd("noise"), limit=20) == "revision of noise"
    assert capfd.readouterr().out == ""


def test_a_missing_module_is_reported(monkeypatch):
    monkeypatch.setitem(STORAGES, "gone", Row(module="no_such_module"))
    with pytest.raises(SourceError, match=r"gone:x could not be read \(ModuleNotFoundError"):
        bounded.resolve(StorageRef(scheme="gone", locator="x"), limit=20)


def test_a_revision_has_its_own_time_limit(monkeypatch):
    monkeypatch.setattr(bounded, "FIRST_ANSWER_SECONDS", 0.5)
    with pytest.raises(SourceError, match=r"odd:hang in 0\.5 seconds.* responds and the network$"):
        bounded.resolve(_odd("hang"), limit=600)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The environment of the row `odd:`, not set up yet."""
    requirements = tmp_path / "odd.txt"
    requirements.write_text("")
    own = Environment(name="odd", folder=tmp_path / ".venv-odd", requirements=(requirements,))
    monkeypatch.setitem(ENVIRONMENTS, "odd", own)
    monkeypatch.setitem(STORAGES, "odd", Row(module="odd_storage", environment="odd"))
    return own


def test_a_storage_runs_in_its_environment_set_up_on_first_use(own, capfd):
    """The requirements are empty: what a package of its own needs is tested with gs: and az:."""
    assert bounded.resolve(_odd("where"), limit=20) == str(own.python)
    assert "setting up .venv-odd for odd (first use" in capfd.readouterr().err
    assert bounded.resolve(_odd("where"), limit=20) == str(own.python)
    assert capfd.readouterr().err == ""


def test_the_set_up_is_no_part_of_the_time_limit(own, monkeypatch):
    ensure = bounded.environment.ensure
    monkeypatch.setattr(bounded.environment, "ensure", lambda each: time.sleep(4) or ensure(each))
    assert bounded.resolve(_odd("where"), limit=3.5) == str(own.python)


def test_a_failed_set_up_is_reported(own, capfd):
    own.requirements[0].write_text("odd_package @ file:///no/where\n")
    with pytest.raises(SourceError) as caught:
        bounded.resolve(_odd("where"), limit=20)
    assert str(caught.value).startswith("odd:where needs the environment 'odd', which cannot be made: setting up the ")
    assert "then run the same command again" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
