"""The main job without Docker from storages on loopback, by their real clients: the answers of a local build."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from tests.loopback import artifacts
from tests.loopback.git_server import GitServer
from tests.loopback.mlflow_server import log_model, running_mlflow, transformers_layout
from tests.loopback.registry import running_registry
from tests.loopback.wandb_server import WandbServer
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.proof.golden_file import read_golden

NAME = "test-source-builds"


@contextmanager
def _oci(model, folder):
    """Reference, revision and variables of the client."""
    with running_registry(folder) as registry:
        digest = artifacts.push(artifacts.PUSHED["ModelKit"], model, registry.host, "team/topics:v1")
        yield f"oci:{registry.host}/team/topics:v1", digest, {}


@contextmanager
def _git(model, folder):
    with GitServer(folder, {"team/topics": model}) as server:
        yield server.reference("team/topics", "v1"), server.commit("team/topics"), {}


@contextmanager
def _mlflow(model, folder):
    with running_mlflow(folder / "server") as url:
        _, version = log_model(url, transformers_layout(model, folder / "logged"))
        yield "mlflow:models:/topics@champion", f"version {version}", {"MLFLOW_TRACKING_URI": url}


@contextmanager
def _wandb(model, folder):
    del folder
    with WandbServer({"team/topics/model": model}) as server:
        yield "wandb:team/topics/model:best", "v0", server.environment()


STORAGES = {"oci": _oci, "git": _git, "mlflow": _mlflow, "wandb": _wandb}


@pytest.fixture(scope="module")
def build():
    """`build(reference, tag)`: the golden file and the JSON report."""

    def run(reference, tag, variables=None):
        command = [str(ROOT / "make_triton_image.sh"), str(reference), str(reference), "-", NAME, tag, "3"]
        done = subprocess.run(
            [*command, "--no-image", "--no-verify", "--json"],
            capture_output=True,
            text=True,
            env={**os.environ, **(variables or {})},
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return read_golden(BUILD / NAME / tag / "golden.json"), json.loads(done.stdout)

    yield run
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


@pytest.fixture(scope="module")
def model(tiny_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "topics"
    shutil.copytree(tiny_bert, folder)
    (folder / "README.md").write_text("# Topics\n")
    return folder


@pytest.fixture(scope="module")
def local(model, build):
    return build(model, "local")[0]


@pytest.mark.parametrize("scheme", STORAGES)
def test_a_build_from_each_storage(scheme, model, local, build, tmp_path):
    with STORAGES[scheme](model, tmp_path / "served") as (reference, revision, variables):
        golden, report = build(reference, scheme, variables)
    assert [row.outputs for row in golden.rows] == [row.outputs for row in local.rows]
    assert report["revisions"] == {"model": revision, "tokenizer": revision}
