"""utils.triton.server without a server."""

import socket
from pathlib import Path

import pytest

from deploy.supervisor.body_limits import Rules
from utils.host.errors import BootProofError
from utils.triton import server


def test_a_lost_port_of_the_guard_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BootProofError, match="Address already in use"):
        server._place("127.0.0.1", taken.getsockname()[1], Rules(1), None)


class Losing:
    """A server whose port is lost to another program `losses` times."""

    losses = 0
    started = 0
    stopped = 0

    def __init__(self):
        Losing.started += 1

    def wait_until_ready(self, _seconds):
        if Losing.started <= Losing.losses:
            raise BootProofError("Triton did not start")

    def log_text(self):
        return "failed to start HTTP service: Unavailable - Socket '127.0.0.1:1' already in use"

    def stop(self):
        Losing.stopped += 1


@pytest.mark.parametrize(("losses", "starts"), [(0, 1), (2, 3)])
def test_other_ports_are_chosen_when_one_is_lost(monkeypatch, losses, starts):
    for name, value in (("losses", losses), ("started", 0), ("stopped", 0)):
        monkeypatch.setattr(Losing, name, value)
    seen = []
    server._start(lambda ports: seen.append(ports) or Losing(), "127.0.0.1", {"http": 0}, 1)
    assert (Losing.started, Losing.stopped) == (starts, losses)
    assert len(seen) == starts


def test_it_fails_after_some_attempts(monkeypatch):
    for name, value in (("losses", 99), ("started", 0), ("stopped", 0)):
        monkeypatch.setattr(Losing, name, value)
    with pytest.raises(BootProofError, match="did not start"):
        server._start(lambda _ports: Losing(), "127.0.0.1", {"http": 0}, 1)
    assert Losing.started == Losing.stopped == server.ATTEMPTS


@pytest.mark.parametrize("name", ["with a space", "with-$HOME", "модели", "quo'ted"])
def test_a_path_with_special_characters_gets_a_temporary_link(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    with server._plain(folder) as plain:
        assert plain.resolve() == folder.resolve()
        assert server.PLAIN_PATH.fullmatch(str(plain))
    assert not plain.parent.exists()


def test_a_plain_path_is_used_directly():
    with server._plain(Path("/models/my_model-1.0")) as plain:
        assert plain == Path("/models/my_model-1.0")


def test_the_command_has_all_addresses_and_no_auto_complete():
    ports = {"http": 1, "grpc": 2, "metrics": 3}
    command = server._command(Path("/models"), Path("/triton"), "127.0.0.1", ports)
    assert command[0] == "/triton/bin/tritonserver"
    assert {"--http-port=1", "--grpc-port=2", "--metrics-port=3"} <= set(command)
    assert {f"--{service}-address=127.0.0.1" for service in ports} <= set(command)
    assert {"--disable-auto-complete-config", "--backend-config=python,shm-default-byte-size=1048576"} <= set(command)
