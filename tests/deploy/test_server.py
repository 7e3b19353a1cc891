"""The process group of Triton, with a program in Triton's place."""

import os
import sys
import time
import uuid
from pathlib import Path

import pytest

from deploy.supervisor.server import STUB, Server

# Starts a child with the name of a stub, which gets its command line only once the file `flag` exists: in execve(), a
# process has its new name before its new command line.
PROGRAM = f"""
import ctypes, os, sys, time
stub, flag = sys.argv[1:]
if os.fork() == 0:
    ctypes.CDLL(None).prctl(15, b"{STUB}", 0, 0, 0)  # PR_SET_NAME
    while not os.path.exists(flag): time.sleep(0.01)
    os.execv(stub, [stub, os.environ["REGION"]])
time.sleep(60)
"""


@pytest.fixture
def region():
    path = Path("/dev/shm", f"region-{uuid.uuid4().hex}")
    path.touch()
    yield path
    path.unlink(missing_ok=True)


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def test_the_shared_memory_of_a_stub_is_removed_that_was_seen_before_its_command_line(tmp_path, region):
    stub, flag = tmp_path / "triton_python_backend_stub", tmp_path / "flag"
    stub.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    stub.chmod(0o755)
    server = Server([sys.executable, "-c", PROGRAM, str(stub), str(flag)], {**os.environ, "REGION": region.name})

    def stubs():
        server.update()
        return [pid for pid, process in server._members.items() if process.name == STUB]

    try:
        (pid,) = wait_for(stubs)
        assert server.fault(is_ready=True) == ""
        flag.touch()
        wait_for(lambda: region.name in Path(f"/proc/{pid}/cmdline").read_text())
        assert stubs() == [pid] and region.exists()
    finally:
        server.close()
    assert not region.exists()
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()
