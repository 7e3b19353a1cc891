"""utils.triton.ports."""

import socket

import pytest

from utils.host.errors import BootProofError
from utils.triton import ports


def test_free_ports_are_all_different():
    chosen = ports.choose_ports("127.0.0.1", {"http": 0, "grpc": 0, "metrics": 0})
    assert set(chosen) == {"http", "grpc", "metrics"}
    assert len(set(chosen.values())) == 3
    assert all(chosen.values())


def test_a_requested_port_is_used():
    requested = ports.choose_ports("127.0.0.1", {"http": 0})
    assert ports.choose_ports("127.0.0.1", requested) == requested


def test_a_taken_port_is_reported_with_its_option():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BootProofError, match=rf"127\.0\.0\.1:{port} for grpc: .*in use.*--grpc-port"):
            ports.choose_ports("127.0.0.1", {"http": 0, "grpc": port})


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(BootProofError, match=r"cannot listen on 192\.0\.2\.1:0 for http"):
        ports.choose_ports("192.0.2.1", {"http": 0})


def test_a_free_port_is_outside_the_ephemeral_range():
    lowest = int(ports.EPHEMERAL.read_text().split()[0])
    chosen = [ports.choose_ports("127.0.0.1", {"http": 0})["http"] for _ in range(50)]
    assert all(ports.LOWEST <= port < lowest for port in chosen)


@pytest.mark.parametrize("text", [None, "1024\t65535\n"])
def test_a_machine_with_all_ports_ephemeral_has_a_free_one(text, tmp_path, monkeypatch):
    monkeypatch.setattr(ports, "EPHEMERAL", tmp_path / "range")
    if text:
        ports.EPHEMERAL.write_text(text)
    assert ports.choose_ports("127.0.0.1", {"http": 0})["http"] > 1023
