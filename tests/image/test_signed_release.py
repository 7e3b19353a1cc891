"""The commands of docs/release.md, "Sign and verify": from a model to a signed release on a real registry, and back.

Then one byte of the release changes in the registry's storage.
"""

import json
import re
import shutil
import subprocess
import uuid

import pytest

from tests import shared_conversions, tiny_models
from tests.loopback.registry import running_registry
from tests.unit.release.releases import damaged
from utils import ROOT
from utils.factory.publish import Proven, publish
from utils.host.build_tree import BUILD
from utils.host.errors import ReleaseError
from utils.options.publication import Publication
from utils.registry.registry import Registry
from utils.release.attach import PREDICATE_TYPE, signature_tag
from utils.release.documents import PROVENANCE, SBOM
from utils.release.push import push_image
from utils.repository.context import CONTEXT_FILE, read_context

SECTION = (ROOT / "docs/release.md").read_text(encoding="utf-8").split("## Sign and verify")[1].split("\n## ")[0]
MAKE_KEYS, RELEASE = re.findall(r"(?ms)^```\n(.*?)^```", SECTION)[:2]
BUILD_COMMAND, VERIFY_COMMAND = RELEASE.split("./verify.sh")[0], "./verify.sh" + RELEASE.split("./verify.sh")[1]

NAME = f"test-{uuid.uuid4().hex[:8]}"


def run(command, cwd=ROOT):
    env, words = shared_conversions.environment(), ["bash", "-euc", command]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder with sign.key and sign.pub."""
    folder = tmp_path_factory.mktemp("keys")
    done = run(MAKE_KEYS, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def released(engine, bases, server, keys, tmp_path_factory):
    """The finished build."""
    model = tiny_models.distilbert(tmp_path_factory.mktemp("model") / "model")
    command = BUILD_COMMAND
    for written, meant in {
        "./model ./model ./id2label.json topics": f"{model} {model} - {NAME}",
        "registry.example.org/team/topics": server.repository,
        "sign.key": f"{keys}/sign.key",
    }.items():
        command = command.replace(written, meant)
    done = run(f"{command.strip()} --base-image {bases[0]} --slim-image {bases[1]}")
    yield done
    engine.client.run("rmi", "--force", f"{server.repository}:v1")
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


def verify(server, keys, *options):
    command = VERIFY_COMMAND.strip().replace("registry.example.org/team/topics", server.repository)
    return run(" ".join([command.replace("sign.pub", f"{keys}/sign.pub"), *options]))


@pytest.fixture(scope="module")
def digest(released):
    assert released.returncode == 0, released.stderr
    return released.stdout.strip().partition("@")[2]


def test_the_printed_digest_is_the_verified_one(server, keys, released, digest):
    done = verify(server, keys)
    assert (done.returncode, done.stdout) == (0, released.stdout), done.stderr
    assert done.stdout == f"{server.repository}@{digest}\n"
    for part in ("signature", "SBOM", "provenance", "manifests", "blobs"):
        assert f"  {part}: " in done.stderr
    (first, *_) = (keys / "sign.key").read_text().splitlines()[1:-1]
    assert first not in released.stderr + done.stderr


def test_the_result_as_json(server, keys, digest):
    result = json.loads(verify(server, keys, "--json").stdout)
    assert result["verified"] == f"{server.repository}@{digest}"
    layers = Registry(server.repository).manifest(digest).fields["layers"]
    assert result["checks"]["blobs"].startswith(f"{len({each['digest'] for each in layers}) + 1} (")


def _attached(registry, digest, document):
    (found,) = (
        each for each in registry.referrers(digest) if each["annotations"][PREDICATE_TYPE] == document.predicate_type
    )
    return registry.manifest(found["digest"]).fields["layers"][0]["digest"]


PARTS = {
    "layer": (lambda registry, digest: registry.manifest(digest).fields["layers"][-1]["digest"], "blob"),
    "SBOM": (lambda registry, digest: _attached(registry, digest, SBOM), "the SBOM of"),
    "provenance": (lambda registry, digest: _attached(registry, digest, PROVENANCE), "the provenance of"),
    "signature": (lambda registry, digest: registry.manifest(signature_tag(digest)).digest, "the signature of"),
}


@pytest.mark.parametrize("part", PARTS)
def test_one_changed_byte_is_wrong(part, server, keys, digest):
    find, words = PARTS[part]
    with damaged(server.blob(find(Registry(server.repository), digest))):
        done = verify(server, keys)
    assert (done.returncode, done.stdout) == (9, ""), done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ") and words in last


def test_a_fault_at_the_signature_releases_nothing(engine, server, keys, released):
    """A file is where the registry would make the folder of the signature's tag."""
    repository = f"{server.host}/team/half"
    image_id = engine.client.run("image", "inspect", "--format", "{{.Id}}", f"{server.repository}:v1").stdout.strip()
    digest = push_image(engine, image_id, Registry(repository), seconds=60).digest
    tags = server.storage / "docker/registry/v2/repositories/team/half/_manifests/tags"
    (tags / signature_tag(digest)).write_text("in the way")
    tree = BUILD / NAME / "v1"
    context = read_context(tree / CONTEXT_FILE)
    proven = Proven(tree=tree, place=tree, context=context, image=f"{repository}:v1", images={"linux/amd64": image_id})
    publication = Publication(push=True, push_timeout=60, sign_key=keys / "sign.key")
    with pytest.raises(ReleaseError, match=r"team/half:sha256-\w+\.sig"):
        publish(proven, publication, engine)
    assert "v1" not in server.tags("team/half")
