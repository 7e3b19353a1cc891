"""Flags by release: the help text of 24.10, with lines of 26.08."""

import pytest

from deploy.supervisor import flags

OLD = """
  --model-control-mode <string>
\tSpecify the mode for model management.
  --disable-auto-complete-config
\tIf set, disables --strict-model-config and more.
  --strict-readiness <boolean>
  --http-restricted-api <<string>:<string>=<string>>
  --grpc-restricted-protocol <<string>:<string>=<string>>
"""
NEW = OLD + "  --http-max-input-size <integer>\n\tLargest size of an input.\n  --allow-client-shm <boolean>\n"
KEY = "k" * 24


def hardened(text, **changes):
    return flags.hardening(flags.known(text), **{"admin_key": KEY, "max_input_bytes": 5, **changes})


def test_flags_are_read_from_the_help_text():
    assert flags.known(NEW) - flags.known(OLD) == {"http-max-input-size", "allow-client-shm"}
    assert "strict-model-config" not in flags.known(OLD)


def test_only_flags_of_the_release_are_used():
    assert "--http-max-input-size=5" in hardened(NEW)
    assert not any("max-input" in flag for flag in hardened(OLD))
    assert [flag.partition("=")[0] for flag in hardened("")] == ["--http-restricted-api", "--grpc-restricted-protocol"]
    assert {"--model-control-mode=none", "--disable-auto-complete-config"} <= set(hardened(OLD))


def test_cloud_services_and_traces_are_disabled():
    names = ("allow-vertex-ai", "allow-sagemaker", "trace-config", "grpc-max-response-pool-size")
    later = OLD + "".join(f"  --{name} <string>\n" for name in names)
    assert set(hardened(later)) > {
        "--allow-vertex-ai=false", "--allow-sagemaker=false", "--trace-config=level=off",
        "--grpc-max-response-pool-size=64",
    }  # fmt: skip
    assert not any(name in flag for flag in hardened(OLD) for name in names)


def test_admin_apis_are_restricted_by_the_key_or_a_random_one():
    closed = "shared-memory,model-config,model-repository,statistics,trace,logging:admin-key="
    assert {f"--http-restricted-api={closed}{KEY}", f"--grpc-restricted-protocol={closed}{KEY}"} <= set(hardened(OLD))
    first, second = (hardened(OLD, admin_key="") for _ in range(2))
    assert first != second
    assert all(len(flag.rpartition("=")[2]) == 48 for flag in first if "restricted" in flag)


@pytest.mark.parametrize(("key", "value"), [(KEY, "true"), ("", "false")])
def test_the_key_enables_the_shared_memory_apis(key, value):
    """Older releases have only the restriction by the key."""
    shown = [flag for flag in hardened(NEW, admin_key=key) if "client-shm" in flag]
    assert shown == [f"--allow-client-shm={value}"]
    assert not any("client-shm" in flag for flag in hardened(OLD, admin_key=key))


def test_replaced_flags_are_removed():
    command = ["tritonserver", "--http-port=1", "--strict-readiness=false", "--id=a"]
    assert flags.without(command, ["--http-port=2", "--strict-readiness=true"]) == ["tritonserver", "--id=a"]
