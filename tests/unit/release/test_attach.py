import base64
import json

import pytest

from tests.loopback.registry import running_registry
from tests.unit.release.releases import CONTENT, documents, make_key, push_image, push_index
from utils.host.errors import ReleaseError
from utils.registry.registry import Registry
from utils.release.attach import PREDICATE_TYPE, attach, images_of, signature_tag, signatures_of
from utils.release.documents import PROVENANCE, SBOM
from utils.release.signature import ENVELOPE, STATEMENT


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        yield Registry(server.repository)


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return make_key(tmp_path_factory.mktemp("keys") / "sign.pub").private


def attached(registry, digest):
    """{predicate type: (artifact type, the only layer's content)} of an image's referrers."""
    found = {}
    for referrer in registry.referrers(digest):
        manifest = registry.manifest(referrer["digest"]).fields
        (layer,) = manifest["layers"]
        assert manifest["artifactType"] == referrer["artifactType"] == layer["mediaType"]
        assert manifest["subject"]["digest"] == digest
        assert manifest["annotations"] == referrer["annotations"]
        found[manifest["annotations"][PREDICATE_TYPE]] = (layer["mediaType"], registry.blob(layer["digest"]))
    return found


def test_without_a_key_the_files_are_attached_byte_for_byte(registry):
    digest = push_image(registry, "unsigned").digest
    files = documents(registry, digest)
    attach(registry, digest, files, None)
    assert attached(registry, digest) == {
        SBOM.predicate_type: ("application/vnd.cyclonedx+json", files[SBOM]),
        PROVENANCE.predicate_type: (STATEMENT, files[PROVENANCE]),
    }
    assert registry.find(signature_tag(digest)) is None


def test_with_a_key_each_is_a_signed_statement_about_the_image(registry, key):
    digest = push_image(registry, "signed").digest
    files = documents(registry, digest)
    attach(registry, digest, files, key)
    found = attached(registry, digest)
    assert {kind for kind, _ in found.values()} == {ENVELOPE}
    statements = {
        name: json.loads(base64.b64decode(json.loads(packed)["payload"])) for name, (_, packed) in found.items()
    }
    assert statements[PROVENANCE.predicate_type] == json.loads(files[PROVENANCE])
    subject = {"name": registry.reference.repository, "digest": {"sha256": digest.removeprefix("sha256:")}}
    assert statements[SBOM.predicate_type] == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": "https://cyclonedx.org/bom",
        "predicate": CONTENT,
    }


def test_a_second_release_of_the_same_image_changes_nothing(registry, key):
    digest = push_image(registry, "twice").digest
    attach(registry, digest, documents(registry, digest), key)
    before = registry.manifest(signature_tag(digest)), registry.referrers(digest)
    attach(registry, digest, documents(registry, digest), key)
    assert (registry.manifest(signature_tag(digest)), registry.referrers(digest)) == before


def test_signatures_of_other_keys_stay(registry, key, tmp_path):
    digest = push_image(registry, "two keys").digest
    other = make_key(tmp_path / "other.pub").private
    for each in (other, key):
        attach(registry, digest, {}, each)
    assert len(signatures_of(registry, digest)) == 2
    config = json.loads(registry.blob(registry.manifest(signature_tag(digest)).fields["config"]["digest"]))
    assert len(config["rootfs"]["diff_ids"]) == 2


def test_each_image_of_an_index_is_signed_and_described(registry, key):
    index = push_index(registry, "two platforms", "v2")
    attach(registry, index.digest, documents(registry, index.digest), key)
    assert len(images_of(index)) == 2
    for digest in (index.digest, *images_of(index)):
        assert len(signatures_of(registry, digest)) == 1
        assert set(attached(registry, digest)) == {SBOM.predicate_type, PROVENANCE.predicate_type}


def test_a_provenance_of_another_image_is_not_signed(registry, key):
    digest = push_image(registry, "confused").digest
    another = documents(registry, "sha256:" + "0" * 64)
    with pytest.raises(ReleaseError, match=r"provenance\.json is not about"):
        attach(registry, digest, another, key)
