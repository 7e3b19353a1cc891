"""The commands of docs/release.md, "Sign and verify": from a model to a signed release on a real registry, and back.

Then one byte of the release changes in the registry's storage.
"""

import json

import pytest

from tests.image.release.conftest import VERIFY_COMMAND, bash
from tests.unit.release.releases import damaged
from utils.factory.publish import Proven, publish
from utils.host.build_tree import BUILD
from utils.host.errors import ReleaseError
from utils.options.publication import Publication
from utils.registry.registry import Registry
from utils.release.attach import PREDICATE_TYPE, signature_tag
from utils.release.documents import PROVENANCE, SBOM
from utils.release.push import push_image
from utils.repository.context import CONTEXT_FILE, read_context


def verify(released, keys, *options):
    command = VERIFY_COMMAND.strip().replace("registry.example.org/team/topics", released.repository)
    return bash(" ".join([command.replace("sign.pub", f"{keys}/sign.pub"), *options]))


@pytest.fixture(scope="module")
def digest(released):
    return released.result["digest"].partition("@")[2]


def test_the_printed_digest_is_the_verified_one(keys, released, digest):
    done = verify(released, keys)
    assert (done.returncode, done.stdout) == (0, f"{released.result['digest']}\n"), done.stderr
    assert done.stdout == f"{released.repository}@{digest}\n"
    for part in ("signature", "SBOM", "provenance", "manifests", "blobs"):
        assert f"  {part}: " in done.stderr
    (first, *_) = (keys / "sign.key").read_text().splitlines()[1:-1]
    assert first not in released.messages + done.stderr


def test_the_result_as_json(keys, released, digest):
    result = json.loads(verify(released, keys, "--json").stdout)
    assert result["verified"] == released.result["digest"]
    layers = Registry(released.repository).manifest(digest).fields["layers"]
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
def test_one_changed_byte_is_wrong(part, registry, keys, released, digest):
    find, words = PARTS[part]
    with damaged(registry.blob(find(Registry(released.repository), digest))):
        done = verify(released, keys)
    assert (done.returncode, done.stdout) == (9, ""), done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ") and words in last


def test_a_fault_at_the_signature_releases_nothing(engine, registry, keys, released):
    """A file is where the registry would make the folder of the signature's tag."""
    repository = f"{registry.host}/team/half"
    image_id = released.result["image_id"]
    digest = push_image(engine, image_id, Registry(repository), seconds=60).digest
    tags = registry.storage / "docker/registry/v2/repositories/team/half/_manifests/tags"
    (tags / signature_tag(digest)).write_text("in the way")
    tree = BUILD / released.name / "v1"
    context = read_context(tree / CONTEXT_FILE)
    proven = Proven(tree=tree, place=tree, context=context, image=f"{repository}:v1", images={"linux/amd64": image_id})
    publication = Publication(push=True, push_timeout=60, sign_key=keys / "sign.key")
    with pytest.raises(ReleaseError, match=r"team/half:sha256-\w+\.sig"):
        publish(proven, publication, engine)
    assert "v1" not in registry.tags("team/half")
