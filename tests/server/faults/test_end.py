"""Rows 14 and 19: a server that is killed, or cannot start, leaves nothing behind."""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from tests.server.faults.target import family
from utils import ROOT
from utils.host.errors import BootProofError
from utils.triton import process
from utils.triton.server import serve

LIMIT = 10


@pytest.fixture
def regions(monkeypatch):
    """A function that lists the shared memory of this test's servers."""
    mark = uuid.uuid4()
    monkeypatch.setattr(process.uuid, "uuid4", lambda: mark)
    return lambda: list(Path("/dev/shm").glob(f"triton_{mark.hex}*"))


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_server_leaves_no_stub_and_no_shared_memory(built, regions):
    """Like serve.sh: it waits for the server's exit, then cleans up."""
    with serve(built[1]) as server:
        pids = family(server.pid)
        assert len(pids) > 1 and regions()
        os.kill(server.pid, signal.SIGKILL)
        started = time.monotonic()
        server.wait()
    assert time.monotonic() - started < LIMIT
    assert not any(runs(pid) for pid in pids)
    assert regions() == []


@pytest.mark.parametrize("layout", ["ensemble"], indirect=True)
def test_a_taken_port_ends_the_start_at_once(built):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [ROOT / "serve.sh", built[1], "--http-port", str(taken.getsockname()[1])]
        done = subprocess.run(
            [*command, "--grpc-port", "0", "--metrics-port", "0"], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 8
    assert "Address already in use" in done.stderr


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_broken_repository_ends_the_start_in_time(built, regions, tmp_path, name):
    broken = shutil.copytree(built[1], tmp_path / "models")
    (file,) = broken.glob(f"*/1/{name}")
    file.unlink()
    file.write_bytes(b"broken")
    started = time.monotonic()
    with pytest.raises(BootProofError, match="did not start"), serve(broken):
        pass
    assert time.monotonic() - started < LIMIT
    assert regions() == []
