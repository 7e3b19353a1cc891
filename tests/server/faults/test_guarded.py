"""The supervisor with and without the guard before Triton."""

import pytest

from tests.server.faults.conftest import ENSEMBLE_ONLY
from tests.server.faults.raw_http import exchange
from tests.server.faults.target import Target
from utils.diagnosis.target import infer_body


@ENSEMBLE_ONLY
def test_a_server_without_a_guard(run, built):
    """What it answers to a large body is the release's own: from 25.10 on the whole body counts for its limit."""
    server = run(TRITON_GUARD="never")
    assert server.guard is None
    target = Target(server, built[0])
    assert target.infer(b" " * 70_000_000).status == (400 if target.release >= "25.10" else 500)
    assert "a guard is before Triton" not in server.said()


@ENSEMBLE_ONLY
@pytest.mark.parametrize(
    ("release", "fault"),
    [("24.10", "JSON nested"), ("26.08", "an Inference-Header-Content-Length above 2147483647")],
)
def test_the_known_faults_of_a_release_start_the_guard(run, release, fault):
    """The release is what the environment of an image says, here whatever the server's is."""
    server = run(TRITON_GUARD="auto", NVIDIA_TRITON_SERVER_VERSION=release)
    (line,) = [line for line in server.said().splitlines() if "TRITON_GUARD=auto" in line]
    assert f"starts the guard for release {release}: " in line and fault in line
    assert server.guard


@ENSEMBLE_ONLY
def test_a_guard_without_a_limit_looks_after_all_else(run, built):
    server = run(TRITON_MAX_INPUT_BYTES="0")
    target = Target(server, built[0])
    assert target.infer(infer_body(["a" * 70_000_000])).status == 200
    assert [target.infer(body).status for body in (b"[" * 5000, infer_body(data=[3]))] == [400, 400]
    target.assert_unharmed()
    announced = b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 2147483648\r\n\r\n"
    assert [reply.status for reply in exchange(target, [announced])] == [413]
    assert "a guard is before Triton: it refuses request bodies above 2147483647 bytes" in server.said()


@ENSEMBLE_ONLY
def test_a_guard_keeps_the_limit_that_was_set(run, built):
    server = run(TRITON_MAX_INPUT_BYTES="2000")
    target = Target(server, built[0])
    assert target.infer(b" " * 2001).status == 413
    target.assert_unharmed()
    assert "Started Metrics Service at 0.0.0.0:" in server.said(), "which by default follows HTTP's address"
    assert "Started HTTPService at 127.0.0.1:" in server.said()
