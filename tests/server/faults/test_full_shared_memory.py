"""Large texts that fill the shared memory during several canary requests: each is answered, and nothing exits.

FAULTS_SECONDS=60 lasts a minute. The server here has a /dev/shm of 12 MiB for itself, in a mount namespace, which needs
root. 24.10 words it as releases up to 25.06 do; that the canary knows the later wording is tested in
tests/deploy/test_pulse.py, and with TRITON_ROOT here.
"""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.faults.target import Target
from tests.unavailable import unavailable
from utils.diagnosis.cases import MB
from utils.diagnosis.target import infer_body

SECONDS = float(os.environ.get("FAULTS_SECONDS", "6"))
CLIENTS = 12
SMALL_MEMORY = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=12m tmpfs /dev/shm && exec "$@"', "sh")


@pytest.fixture(scope="module", autouse=True)
def _namespace():
    done = subprocess.run([*SMALL_MEMORY, "true"], capture_output=True, text=True)
    if done.returncode != 0:
        unavailable(f"no mount namespace for a small /dev/shm: {done.stderr.strip()}")


@pytest.mark.long("ensemble-always-503", "fused-never-500")
@pytest.mark.parametrize(("guard", "full"), [("always", 503), ("never", 500)])
def test_full_shared_memory_ends_nothing(run, built, guard, full):
    server = run(before=SMALL_MEMORY, TRITON_GUARD=guard)
    target = Target(server, built[0])
    bodies = [infer_body(["large " * (MB * size // 6)]) for size in (3, 1)]
    until, seen = time.monotonic() + SECONDS, set()

    def client(number):
        while time.monotonic() < until:
            reply = target.infer(bodies[number % 2])
            seen.add(reply.status)
            assert guard == "never" or reply.status == 200 or "--shm-size" in reply.error

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    assert seen == {200, full}
    assert server.process.poll() is None, server.log_text()
    target.assert_unharmed()
    assert server.is_healthy()
