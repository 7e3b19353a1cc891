"""Several processes of the guard: how connections are divided among them, and their limits."""

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.supervisor.guard import Place
from tests.loopback.upstream import OK, RULES, Upstream, post, read, refusal

PROCESSES, CONNECTIONS, FEWEST = 3, 45, 5


@contextlib.contextmanager
def processes(limit=1024):
    """(the address for clients, the process ids) of a guard that may open `limit` files in each process."""
    place = Place("127.0.0.1", 0, RULES, processes=PROCESSES)
    address = place.listening.getsockname()
    Upstream(place.upstream)
    command = ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *place.command(sys.executable)]
    started = [subprocess.Popen(command, stdin=place.listening) for _ in range(PROCESSES)]
    place.listening.close()
    try:
        pids = [each.pid for each in started]
        deadline = time.monotonic() + 10
        while not all(files(pid, "anon_inode") for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield address, pids
    finally:
        for each in started:
            each.kill()
            each.wait()


def files(pid, kind):
    """How many files of a kind a process has open: socket, or anon_inode for its epoll(7)."""
    found = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            found += str(file.readlink()).startswith(f"{kind}:")
    return found


@pytest.fixture
def connect():
    """connect(address): a connection that is closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda address: stack.enter_context(socket.create_connection(address, timeout=10))


def test_each_process_accepts_and_checks_its_share_of_the_connections(connect):
    """15 on an idle machine; a process that is still busy with the last one is passed over."""
    with processes() as (address, pids):
        for _ in range(CONNECTIONS):
            connection = connect(address)
            connection.sendall(post(b"a"))
            assert read(connection) == OK
        counts = [files(pid, "socket") // 2 for pid in pids]  # each has one to the server, too
        assert sum(counts) == CONNECTIONS
        assert min(counts) >= FEWEST, counts
        refused = [connect(address) for _ in range(PROCESSES)]
        for connection in refused:
            connection.sendall(post(b"[" * 5000))
        assert [refusal(connection)[0] for connection in refused] == [400] * PROCESSES


def test_each_process_closes_idle_connections_at_its_limit(connect):
    """40 files are 12 connections, each with one to the server."""
    with processes(limit=40) as (address, pids):
        for _ in range(90):
            connection = connect(address)
            connection.sendall(post(b"a"))
            assert read(connection) == OK
        assert all(files(pid, "socket") <= 1 + 2 * 12 for pid in pids)
