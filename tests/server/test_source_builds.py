"""The main job without Docker from storages on loopback, by their real clients: the answers of a local build."""

import hashlib
import json
import re
import shutil
from contextlib import contextmanager
from functools import partial

import pytest

from tests import shared_conversions, warm_builds
from tests.certificates import Authority
from tests.loopback import artifacts, azure_server, gcs_emulator
from tests.loopback.clearml_server import ClearmlServer, zipped
from tests.loopback.faulty import FaultyProxy
from tests.loopback.git_server import GitServer
from tests.loopback.https_files import FileServer
from tests.loopback.mlflow_server import log_model, running_mlflow, transformers_layout
from tests.loopback.registry import running_registry
from tests.loopback.wandb_server import WandbServer
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.proof.golden_file import read_golden

NAME = "test-source-builds"
CLEARML_ID, CLEARML_TASK = "0123456789abcdef0123456789abcdef", "00112233445566778899aabbccddeeff"
ETAG = "etag:[0-9a-f]{16}"


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


@contextmanager
def _gs(model, folder):
    del folder
    with gcs_emulator.serving(_objects(model)) as url:
        variables = {"STORAGE_EMULATOR_HOST": url}
        yield f"gs:{gcs_emulator.BUCKET}/team/topics", ETAG, variables


@contextmanager
def _az(model, folder):
    del folder
    with azure_server.AzureServer(_objects(model)) as server:
        variables = {"AZURE_STORAGE_CONNECTION_STRING": server.connection_string(server.url)}
        yield f"az:{azure_server.CONTAINER}/team/topics", ETAG, variables


@contextmanager
def _https(model, folder):
    archive, authority = zipped(model), Authority(folder / "authority")
    digest = hashlib.sha256(archive).hexdigest()
    server = FileServer({"/topics.zip": archive})
    with server, FaultyProxy(server.url, files="/.*", certificate=authority.sign("server")) as proxy:
        variables = {"REQUESTS_CA_BUNDLE": str(authority.folder / "ca.pem")}
        yield f"{proxy.url}/topics.zip#sha256={digest}", f"sha256:{digest}", variables


@contextmanager
def _clearml(model, folder, *, kind):
    """A tag, an artifact of a task, or one file of weights with config.json as its configuration."""
    del folder
    weights = kind == "weights"
    with ClearmlServer({CLEARML_ID: model / "model.safetensors" if weights else model}) as server:
        if kind == "tag":
            server.tagged = [(CLEARML_ID, "topics", ("production",))]
            yield "clearml:topics@production", CLEARML_ID, server.environment()
        elif kind == "task":
            server.tasks[CLEARML_TASK] = {"model": CLEARML_ID}
            yield f"clearml:task/{CLEARML_TASK}/model", "sha256:[0-9a-f]{64}", server.environment()
        else:
            server.designs[CLEARML_ID] = (model / "config.json").read_text()
            yield f"clearml:{CLEARML_ID}", CLEARML_ID, server.environment()


def _objects(model):
    return {f"team/topics/{path.name}": path.read_bytes() for path in model.iterdir()}


STORAGES = {
    **{"oci": _oci, "git": _git, "mlflow": _mlflow, "wandb": _wandb, "gs": _gs, "az": _az, "https": _https},
    **{f"clearml-{kind}": partial(_clearml, kind=kind) for kind in ("tag", "task", "weights")},
}


@pytest.fixture(scope="module")
def build():
    """`build(reference, tokenizer, tag)`: the golden file and the JSON report."""

    def run(reference, tokenizer, tag, variables=None):
        words = [str(reference), str(tokenizer), "-", NAME, tag, "3", "--no-image", "--no-verify", "--json"]
        done = warm_builds.build(words, shared_conversions.environment(**(variables or {})), ROOT)
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
    return build(model, model, "local")[0]


@pytest.mark.long("oci", "git", "https", "clearml-weights")
@pytest.mark.parametrize("scheme", STORAGES)
def test_a_build_from_each_storage(scheme, model, local, build, tmp_path):
    with STORAGES[scheme](model, tmp_path / "served") as (reference, revision, variables):
        tokenizer = model if scheme == "clearml-weights" else reference
        golden, report = build(reference, tokenizer, scheme, variables)
    assert [row.outputs for row in golden.rows] == [row.outputs for row in local.rows]
    assert set(report["revisions"]) == {"model", "tokenizer"}
    of_storage = [found for name, found in report["revisions"].items() if name == "model" or tokenizer == reference]
    assert all(re.fullmatch(revision, found) for found in of_storage)
