"""A small signed release in a real registry, for tests that read it or damage it."""

import contextlib
import json
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from utils.registry.registry import IMAGE_MANIFEST, image_index
from utils.release.documents import PROVENANCE, SBOM
from utils.release.signature import statement
from utils.release.signature_keys import PrivateKey

CONTENT = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "numpy", "version": "1.26.4"}]}


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A private key and the PEM file of its public part."""

    private: PrivateKey
    public_file: str

    @property
    def public(self):
        return self.private.public


def make_key(file, key=None):
    """A KeyPair of `key` (default: a new P-256 key); writes its public part to `file`."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    file.write_bytes(key.public_key().public_bytes(*form))
    return KeyPair(private=PrivateKey(key), public_file=str(file))


def push_image(registry, name, tag="", architecture="amd64"):
    """The manifest of an image with two layers, whose contents depend on `name`."""
    config = {"architecture": architecture, "os": "linux", "config": {"Labels": {"name": name}}}
    layers = [f"layer {number} of {name}".encode() * 1000 for number in (1, 2)]
    fields = {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "config": registry.put_blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [registry.put_blob(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers],
    }
    return registry.put_manifest(fields, tag)


def push_index(registry, name, tag):
    """The manifest of an index of two images."""
    images = [push_image(registry, f"{name} {each}", architecture=each) for each in ("amd64", "arm64")]
    return registry.put_manifest(image_index([each.descriptor for each in images]), tag)


def documents(registry, digest):
    """An SBOM and a provenance of the image, as files."""
    provenance = statement(registry.reference.repository, [digest], PROVENANCE.predicate_type, {"buildDefinition": {}})
    return {SBOM: json.dumps(CONTENT).encode(), PROVENANCE: json.dumps(provenance).encode()}


@contextlib.contextmanager
def damaged(file):
    """One byte in the middle of the file is another one inside the block."""
    before = file.read_bytes()
    at = len(before) // 2
    file.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
    try:
        yield
    finally:
        file.write_bytes(before)
