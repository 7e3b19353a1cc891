"""The script of examples/pipelines/gitlab.yml, whole: a list is built, pushed to a real registry, and signed.

tests/project/test_pipelines.py runs the script of the GitHub action. Base images are the stand-ins.
"""

import json
import os
import re
import shutil
import subprocess
import uuid

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import shared_conversions, tiny_models
from tests.image.release.conftest import EPOCH
from tests.loopback.registry import PASSWORD, USER, running_registry
from tests.project.pipelines import SCRIPTS
from tests.unit.release.releases import make_key
from utils import ROOT
from utils.host.build_tree import BUILD

PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture
def registry(tmp_path):
    with running_registry(tmp_path / "registry", password=True) as registry:
        yield registry


@pytest.fixture
def project(engine, bases, registry, tmp_path):
    """A user's repository: the submodule factory/, a model, its list, and a key. Images and builds are removed."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "factory").symlink_to(ROOT)
    tiny_models.bert(folder / "model")
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "sign.pem").write_bytes(key.private_bytes(*PEM))
    make_key(folder / "sign.pub", key)
    shared = {"tokenizer": "model", "id2label": "-", "base_image": bases[0], "slim_image": bases[1], "no_measure": True}
    repository = f"{registry.host}/team"
    builds = [
        {"model": "model", "model_name": name, "tag": "v1", "image": f"{repository}/topics"},
        {"model": "no-model", "model_name": name, "tag": "v2", "image": f"{repository}/other"},
    ]
    (folder / "models.yaml").write_text(yaml.safe_dump({"defaults": shared, "builds": builds}))
    yield folder
    engine.client.run("rmi", "--force", f"{repository}/topics:v1")
    shutil.rmtree(BUILD / name, ignore_errors=True)


@pytest.fixture
def run(engine, registry, project, tmp_path):
    """`run(command, ...)`: a finished process in the project, with the variables of the pipeline."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/docker").symlink_to(engine.client.program)
    variables = {
        "PATH": f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}",
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "REGISTRY": registry.host,
        "REGISTRY_USER": USER,
        "REGISTRY_PASSWORD": PASSWORD,
        "SIGN_KEY": str(project / "sign.pem"),
    }

    def call(*command, **more):
        environment = shared_conversions.environment(SOURCE_DATE_EPOCH=str(EPOCH), **variables, **more)
        return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=600)

    return call


def test_the_pipeline_builds_pushes_and_signs_a_list(project, registry, run):
    script = SCRIPTS["gitlab.yml: images"]
    done = run(*script.command, script.text)
    assert done.returncode == 3, done.stderr
    assert "builds[1]: MODEL 'no-model' does not exist" in done.stderr
    assert (project / "report.json").read_text() == ""
    assert registry.tags() == []
    (project / "no-model").symlink_to("model")
    builds = project / "models.yaml"
    builds.write_text(builds.read_text().replace("tag: v2", "tag: v2\n  top_k: 99"))  # known only from the model
    done = run(*script.command, script.text)
    assert done.returncode == 2, done.stderr
    report = json.loads((project / "report.json").read_text())
    assert [each.get("exit_code", 0) for each in report["builds"]] == [0, 2]
    digest = report["builds"][0]["digest"]
    assert re.fullmatch(rf"{registry.host}/team/topics@sha256:[0-9a-f]{{64}}", digest)
    assert "v1" in registry.tags()
    variables = dict(line.split("=") for line in (project / "images.env").read_text().splitlines())
    assert variables == {"IMAGE": f"{registry.host}/team/topics:v1", "DIGEST": digest}
    verified = run(str(ROOT / "verify.sh"), digest, "--key", "sign.pub")
    assert (verified.returncode, verified.stdout) == (0, f"{digest}\n"), verified.stderr
    deploy = SCRIPTS["gitlab.yml: deploy"]
    assert run(*deploy.command, deploy.text, **variables).stdout == f"deploy {digest}\n"
