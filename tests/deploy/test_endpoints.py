"""Flags for ports, addresses and TLS, for releases with and without them."""

import pytest

from deploy.supervisor import endpoints
from deploy.supervisor.errors import SettingError
from deploy.supervisor.guard import Place
from deploy.supervisor.settings import LOOPBACK, Settings
from deploy.supervisor.tls import Tls

OLD = frozenset((
    "http-port", "grpc-port", "metrics-port", "exit-timeout-secs", "reuse-http-port", "reuse-grpc-port",
))  # fmt: skip
NEW = OLD | {
    "allow-http", "allow-grpc", "http-address", "grpc-address", "metrics-address", "grpc-use-ssl",
    "grpc-use-ssl-mutual", "grpc-server-cert", "grpc-server-key", "grpc-root-cert",
}  # fmt: skip


def flags(known=NEW, place=None, *, gated=True, **changes):
    return set(endpoints.flags(known, Settings(**changes), place, gated=gated))


def test_flags_of_all_services():
    assert flags() == {
        "--allow-http=true", "--http-address=0.0.0.0", "--http-port=8000", "--reuse-http-port=true",
        "--allow-grpc=true", "--grpc-address=0.0.0.0", "--grpc-port=8001", "--reuse-grpc-port=true",
        "--metrics-address=0.0.0.0", "--metrics-port=8002", "--exit-timeout-secs=8",
    }  # fmt: skip
    assert not any("reuse" in flag for flag in flags(gated=False))


def test_behind_a_guard_only_http_moves():
    place = Place("127.0.0.1", 0, 5)
    try:
        found = flags(place=place, gated=False)
        assert {f"--http-port={place.upstream[1]}", "--http-address=127.0.0.1", "--reuse-http-port=true"} <= found
        assert {"--metrics-address=0.0.0.0", "--grpc-address=0.0.0.0"} <= found
    finally:
        place.listening.close()


def test_grpc_can_be_disabled():
    assert {flag for flag in flags(grpc=False) if "grpc" in flag} == {"--allow-grpc=false"}


def test_loopback_only():
    found = flags(http_address=LOOPBACK, grpc_address=LOOPBACK, metrics_address=LOOPBACK)
    assert {f"--{door}-address=127.0.0.1" for door in ("http", "grpc", "metrics")} <= found


def test_tls_and_mutual_tls():
    one_way = {"--grpc-use-ssl=true", "--grpc-server-cert=/c", "--grpc-server-key=/k"}
    found = flags(grpc_tls=Tls("/c", "/k"))
    assert one_way <= found and not any("mutual" in flag or "root" in flag for flag in found)
    assert one_way | {"--grpc-use-ssl-mutual=true", "--grpc-root-cert=/a"} <= flags(grpc_tls=Tls("/c", "/k", "/a"))


def test_unknown_flags_with_default_values_are_omitted():
    assert flags(OLD) == {
        "--http-port=8000", "--grpc-port=8001", "--metrics-port=8002", "--exit-timeout-secs=8",
        "--reuse-http-port=true", "--reuse-grpc-port=true",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"metrics_address": LOOPBACK}, "metrics-address"),
        ({"grpc": False}, "allow-grpc"),
        ({"grpc_tls": Tls("/c", "/k")}, "grpc-server-cert"),
    ],
)
def test_a_required_flag_that_the_release_lacks_is_reported(changes, flag):
    with pytest.raises(SettingError, match=f"does not support --{flag}"):
        flags(OLD, **changes)
