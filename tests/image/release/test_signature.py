"""skopeo, which shares no code with this project, accepts the signatures of this project and no others.

Debian 12's skopeo is built without this kind of signature, so Debian 13's runs in a container.
"""

import json
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.image.conftest import TRIXIE
from tests.loopback.registry import running_registry
from tests.unit.release.releases import make_key, push_image, push_index
from utils import ROOT
from utils.registry.registry import Registry
from utils.release.attach import attach

IMAGE = "triton-factory-test-skopeo:trixie"
RECIPE = "FROM {base}\nRUN apt-get update -qq && apt-get install -y -qq --no-install-recommends skopeo\n"
SECTION = (ROOT / "docs/release.md").read_text(encoding="utf-8").split("## Sign and verify")[1].split("\n## ")[0]
POLICY, SETTING = (SECTION.split(f"```{kind}\n")[1].split("```")[0] for kind in ("json", "yaml"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        yield Registry(server.repository)


@pytest.fixture(scope="module")
def skopeo(engine, make_standin, tmp_path_factory):
    """skopeo(reference, key) -> the finished copy, by the policy of docs/release.md."""
    base = make_standin(TRIXIE).slim
    folder = tmp_path_factory.mktemp("skopeo image")
    (folder / "Dockerfile").write_text(RECIPE.format(base=base))
    built = engine.client.run("build", "--quiet", "--network", "host", "--tag", IMAGE, str(folder), seconds=300)
    assert built.returncode == 0, built.stderr

    def copy(reference, key):
        place = tmp_path_factory.mktemp("copy")
        (place / "registries.d").mkdir()
        (place / "registries.d/signatures.yaml").write_text(SETTING)
        host = reference.split("/")[0]
        policy = POLICY.replace("registry.example.org/team", host).replace("/etc/containers/sign.pub", str(key))
        assert {host, key} <= set(policy.split('"'))
        (place / "policy.json").write_text(policy)
        command = [engine.client.program, "run", "--rm", "--network", "host", "-v", f"{place}:{place}"]
        command += ["-v", f"{key}:{key}:ro", IMAGE, "skopeo", "copy", "--policy", f"{place}/policy.json"]
        command += ["--registries.d", f"{place}/registries.d", "--src-tls-verify=false"]
        command += [f"docker://{reference}", f"dir:{place}/out"]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)

    yield copy
    engine.client.run("rmi", "--force", IMAGE)


@pytest.fixture(scope="module", params=["P-256", "Ed25519"])
def key(request, tmp_path_factory):
    made = [] if request.param == "P-256" else [ed25519.Ed25519PrivateKey.generate()]
    return make_key(tmp_path_factory.mktemp("keys") / "sign.pub", *made)


def accepted(done):
    assert done.returncode == 0 or "Source image rejected" in done.stderr, done.stderr
    return done.returncode == 0


def test_a_signed_image_is_accepted_by_tag_and_by_digest(registry, skopeo, key, tmp_path):
    image = push_image(registry, "signed", "v1")
    attach(registry, image.digest, {}, key.private)
    for reference in (registry.reference.by_tag("v1"), registry.reference.by_digest(image.digest)):
        done = skopeo(str(reference), key.public_file)
        assert accepted(done), done.stderr
    assert not accepted(skopeo(str(reference), make_key(tmp_path / "other.pub").public_file))


def test_an_image_of_a_signed_index_is_accepted(registry, skopeo, key):
    index = push_index(registry, "two platforms", "v2")
    attach(registry, index.digest, {}, key.private)
    done = skopeo(str(registry.reference.by_tag("v2")), key.public_file)
    assert accepted(done), done.stderr


def test_an_image_without_a_signature_is_refused(registry, skopeo, tmp_path):
    image = push_image(registry, "unsigned")
    key = make_key(tmp_path / "sign.pub")
    assert not accepted(skopeo(str(registry.reference.by_digest(image.digest)), key.public_file))


def test_the_policy_accepts_nothing_else():
    assert json.loads(POLICY)["default"] == [{"type": "reject"}]
