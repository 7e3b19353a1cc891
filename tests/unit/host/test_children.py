import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utils.host import children

PARENT = """
import subprocess, sys
from utils.host import children
command = children.with_parent_death_signal([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"])
child = subprocess.Popen(command, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, children.this_process(), flush=True)
sys.stdin.readline()
"""


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_child_ends_when_its_parent_is_killed(start_child):
    parent = start_child(PARENT)
    pid, name = parent.stdout.readline().split()
    assert lives(int(pid))
    assert not children.is_dead(name)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while lives(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not lives(int(pid))
    assert children.is_dead(name)


def test_arguments_output_and_exit_code_pass_through():
    command = children.with_parent_death_signal(
        [sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(3)", "a b", ""]
    )
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "['a b', '']\n")


def test_a_zombie_process_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = f"{children._machine()}-{child.pid}-{children._started(child.pid)}"
    assert not children.is_dead(name)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert children.is_dead(name)
    child.wait()


@pytest.mark.parametrize("name", ["", "x", "another-machine-1-2", "0-1-2-3"])
def test_a_process_of_another_machine_counts_as_running(name):
    assert not children.is_dead(name)


def test_a_child_can_clean_up_when_its_block_fails(tmp_path):
    code = f"""
import pathlib, signal, sys, time
def clear(*_):
    pathlib.Path({str(tmp_path)!r}, "cleared").touch()
    sys.exit()
signal.signal(signal.SIGTERM, clear)
print(1, flush=True)
time.sleep(60)
"""
    with (
        pytest.raises(KeyboardInterrupt),
        children.child_process([sys.executable, "-c", code], stdout=subprocess.PIPE) as child,
    ):
        child.stdout.readline()
        raise KeyboardInterrupt
    assert (tmp_path / "cleared").exists()
    assert not lives(child.pid)


def test_sessions_are_ended_together_and_killed_after_a_time(tmp_path):
    program = "import pathlib, signal, time; {}; pathlib.Path('{}').touch(); time.sleep(600)"
    deaf = program.format("signal.signal(signal.SIGTERM, signal.SIG_IGN)", tmp_path / "deaf")
    commands = [[sys.executable, "-c", text] for text in (deaf, program.format("pass", tmp_path / "polite"))]
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(children.child_process(each, stdout=subprocess.DEVNULL)) for each in commands]
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        children.terminate(started, 1)
    assert [each.returncode for each in started] == [-signal.SIGKILL, -signal.SIGTERM]
