"""A signed release is damaged in the storage of a real registry, one byte at a time."""

import json

import pytest

from tests.loopback.registry import running_registry
from tests.unit.release.releases import damaged, documents, make_key, push_image, push_index
from utils.host.errors import ReleaseError
from utils.registry.registry import IMAGE_MANIFEST, Registry, fallback_tag
from utils.release.attach import (
    PREDICATE_TYPE,
    attach,
    images_of,
    signature_tag,
    signatures_of,
)
from utils.release.documents import PROVENANCE, SBOM
from utils.release.verification import verify


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def registry(server):
    return Registry(server.repository)


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return make_key(tmp_path_factory.mktemp("keys") / "sign.pub")


@pytest.fixture(scope="module")
def digest(registry, key):
    """The digest of a signed image."""
    digest = push_image(registry, "topics", "v1").digest
    attach(registry, digest, documents(registry, digest), key.private)
    return digest


def parts(registry, digest, key):
    return [check.part for check in verify(registry, registry.manifest(digest), key.public)]


def test_a_release_is_right(registry, digest, key):
    checks = list(verify(registry, registry.manifest(digest), key.public))
    assert [check.part for check in checks] == ["signature", "SBOM", "provenance", "manifests", "blobs"]
    assert checks[-1].found.startswith("3 (")


def referrer(registry, digest, document):
    """The manifest of a signed SBOM or provenance."""
    found = [
        each for each in registry.referrers(digest) if each["annotations"][PREDICATE_TYPE] == document.predicate_type
    ]
    return registry.manifest(found[0]["digest"])


DAMAGED = {
    "manifest": (lambda registry, digest: digest, "manifest of"),
    "config": (lambda registry, digest: registry.manifest(digest).fields["config"]["digest"], "blob"),
    "first layer": (lambda registry, digest: registry.manifest(digest).fields["layers"][0]["digest"], "blob"),
    "last layer": (lambda registry, digest: registry.manifest(digest).fields["layers"][-1]["digest"], "blob"),
    "SBOM": (lambda registry, digest: referrer(registry, digest, SBOM).fields["layers"][0]["digest"], "the SBOM of"),
    "SBOM's manifest": (lambda registry, digest: referrer(registry, digest, SBOM).digest, "the SBOM of"),
    "provenance": (
        lambda registry, digest: referrer(registry, digest, PROVENANCE).fields["layers"][0]["digest"],
        "the provenance of",
    ),
    "signed payload": (lambda registry, digest: signatures_of(registry, digest)[0]["digest"], "the signature of"),
    "signature": (lambda registry, digest: registry.manifest(signature_tag(digest)).digest, "the signature of"),
    "list of referrers": (lambda registry, digest: registry.manifest(fallback_tag(digest)).digest, "the SBOM of"),
}


@pytest.mark.parametrize("part", DAMAGED)
def test_one_changed_byte_is_found_and_named(part, server, registry, digest, key):
    find, words = DAMAGED[part]
    with damaged(server.blob(find(registry, digest))), pytest.raises(ReleaseError, match=words):
        parts(registry, digest, key)
    assert len(parts(registry, digest, key)) == 5


@pytest.mark.parametrize("part", ["SBOM", "provenance"])
def test_a_document_replaced_with_its_digests_is_found(part, registry, key):
    """Whoever may push can change content and digests together, but cannot sign."""
    digest = push_image(registry, f"replaced {part}").digest
    attach(registry, digest, documents(registry, digest), key.private)
    document = {"SBOM": SBOM, "provenance": PROVENANCE}[part]
    fields = dict(referrer(registry, digest, document).fields)
    content = json.loads(registry.blob(fields["layers"][0]["digest"]))
    packed = bytearray(content["payload"].encode())
    packed[40] ^= 3
    layer = registry.put_blob(json.dumps({**content, "payload": packed.decode()}).encode(), fields["artifactType"])
    fields["layers"] = [layer]
    registry.put_manifest(_without_referrers(registry, digest, document), fallback_tag(digest))
    registry.put_manifest(fields)
    with pytest.raises(ReleaseError, match=f"the signature of the {part} of .* does not match"):
        parts(registry, digest, key)


def _without_referrers(registry, digest, document):
    index = dict(registry.manifest(fallback_tag(digest)).fields)
    kept = [each for each in index["manifests"] if each["annotations"][PREDICATE_TYPE] != document.predicate_type]
    return {**index, "manifests": kept}


@pytest.mark.parametrize("document", [SBOM, PROVENANCE], ids=lambda document: document.name)
def test_a_missing_document_is_named(document, registry, key):
    digest = push_image(registry, f"no {document.name}").digest
    attach(registry, digest, documents(registry, digest), key.private)
    registry.put_manifest(_without_referrers(registry, digest, document), fallback_tag(digest))
    with pytest.raises(ReleaseError, match=f"has no signed {document.name}"):
        parts(registry, digest, key)


def test_an_unsigned_document_is_not_enough(registry, key):
    digest = push_image(registry, "unsigned documents").digest
    attach(registry, digest, {}, key.private)
    attach(registry, digest, documents(registry, digest), None)
    with pytest.raises(ReleaseError, match="has no signed SBOM"):
        parts(registry, digest, key)


def test_an_image_without_a_signature(registry, key):
    digest = push_image(registry, "unsigned").digest
    with pytest.raises(ReleaseError, match="has no signature"):
        parts(registry, digest, key)


def test_another_key(registry, digest, tmp_path):
    with pytest.raises(ReleaseError, match="does not match its content and this key"):
        parts(registry, digest, make_key(tmp_path / "other.pub"))


def test_a_signature_of_another_image(registry, digest, key):
    other = push_image(registry, "other").digest
    registry.put_manifest(registry.manifest(signature_tag(digest)).content, signature_tag(other))
    with pytest.raises(ReleaseError, match=f"is the signature of another image, {digest}"):
        parts(registry, other, key)


def test_an_sbom_of_another_image(registry, digest, key):
    other = push_image(registry, "other with a signature")
    attach(registry, other.digest, {}, key.private)
    registry.put_manifest({**referrer(registry, digest, SBOM).fields, "subject": other.descriptor})
    with pytest.raises(ReleaseError, match=r"the SBOM of .* is about another image"):
        parts(registry, other.digest, key)


def test_a_provenance_in_the_place_of_an_sbom(registry, key):
    image = push_image(registry, "mixed up")
    attach(registry, image.digest, {PROVENANCE: documents(registry, image.digest)[PROVENANCE]}, key.private)
    fields = referrer(registry, image.digest, PROVENANCE).fields
    registry.put_manifest({**fields, "annotations": {PREDICATE_TYPE: SBOM.predicate_type}})
    with pytest.raises(ReleaseError, match=r"the SBOM of .* is a statement of type 'https://slsa\.dev"):
        parts(registry, image.digest, key)


def test_what_others_attached_does_not_disturb(registry, key, tmp_path):
    digest = push_image(registry, "two keys").digest
    other = make_key(tmp_path / "other.pub")
    for each in (other, key, other):
        attach(registry, digest, documents(registry, digest), each.private)
    for each in (other, key):
        assert len(parts(registry, digest, each)) == 5


def test_a_signature_manifest_without_a_signature(registry, key):
    digest = push_image(registry, "empty").digest
    config = registry.put_blob(b"{}", "application/vnd.oci.image.config.v1+json")
    layer = registry.put_blob(b"{}", "application/json")
    fields = {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config, "layers": [layer]}
    registry.put_manifest(fields, signature_tag(digest))
    with pytest.raises(ReleaseError, match="has no signature"):
        parts(registry, digest, key)


def test_an_index_is_right_and_each_image_of_it(registry, server, key):
    index = push_index(registry, "two platforms", "v2")
    attach(registry, index.digest, documents(registry, index.digest), key.private)
    checks = list(verify(registry, registry.manifest("v2"), key.public))
    assert [check.found.split(",")[0] for check in checks if check.part == "manifests"] == ["3"]
    assert [check.found.split()[0] for check in checks if check.part == "blobs"] == ["6"]
    for digest in images_of(index):
        assert len(parts(registry, digest, key)) == 5
        with damaged(server.blob(digest)), pytest.raises(ReleaseError, match=f"manifest of .*{digest}"):
            parts(registry, index.digest, key)
        layer = registry.manifest(digest).fields["layers"][0]["digest"]
        with damaged(server.blob(layer)), pytest.raises(ReleaseError, match=f"blob .*{layer}"):
            parts(registry, index.digest, key)
