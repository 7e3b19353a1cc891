"""One server for all fault cases, on a repository that the real script rendered from a tiny model."""

import os
import shutil
import subprocess
import uuid

import pytest

from tests import tiny_models
from tests.server.faults.target import Target
from utils import ROOT
from utils.build_tree import BUILD
from utils.local_triton import serve


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """(model name, model repository) of a finished build."""
    model = tiny_models.bert(tmp_path_factory.mktemp("faults") / "model")
    name = f"faults-{uuid.uuid4().hex[:8]}"
    command = [ROOT / "make_triton_image.sh", model, model, "-", name, "v1", "8", "--no-image", "--no-verify"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    yield name, BUILD / name / "v1/model_repository"
    shutil.rmtree(BUILD / name, ignore_errors=True)


@pytest.fixture(scope="session")
def target(built):
    name, repository = built
    with serve(repository) as server:
        yield Target(server, name)
