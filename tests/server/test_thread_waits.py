"""How the threads of PyTorch wait in a build: its libgomp prints its own settings when it is loaded."""

import os
import subprocess

import pytest

from tests import tiny_models
from utils import ROOT


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("waits") / "model")


@pytest.mark.long("ACTIVE*")
@pytest.mark.parametrize(("policy", "spins"), [(None, False), ("ACTIVE", True)])
def test_threads_sleep_while_they_wait_unless_the_user_sets_a_policy(model, policy, spins):
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    }
    environment.update({"OMP_DISPLAY_ENV": "VERBOSE"}, **({"OMP_WAIT_POLICY": policy} if policy else {}))
    command = [
        str(ROOT / "make_triton_image.sh"),
        model,
        model,
        "-",
        "test-thread-waits",
        "v1",
        "--dry-run",
        "--no-image",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    counts = [line.split("'")[1] for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line]
    assert counts
    assert all((count != "0") == spins for count in counts)
