import subprocess
import sys

import pytest

from utils import ROOT
from utils.host import lock

HOLD = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from utils.host import lock
with lock.exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock until its standard input is closed."""
    file = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield file, process


def test_a_held_lock_is_refused_without_waiting(holder):
    file, _ = holder
    assert lock.is_held(file)
    with pytest.raises(BlockingIOError), lock.exclusive(file, wait=False):
        pass


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_the_lock_ends_with_its_process(holder, end):
    file, process = holder
    process.kill() if end == "kill" else process.stdin.close()
    process.wait(timeout=20)
    assert not lock.is_held(file)
    with lock.exclusive(file, wait=False):
        assert lock.is_held(file)


def test_the_content_of_a_locked_file_stays(tmp_path):
    (tmp_path / "lock").write_text("content")
    with lock.exclusive(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == "content"


def test_a_missing_file_is_not_held(tmp_path):
    assert not lock.is_held(tmp_path / "absent")
