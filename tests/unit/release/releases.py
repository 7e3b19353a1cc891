"""A small signed release in a real registry, for tests that read it or damage it."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from utils.registry.registry import IMAGE_MANIFEST, Manifest, Registry, image_index
from utils.release.documents import PROVENANCE, SBOM, Document
from utils.release.signature import statement
from utils.release.signature_keys import PrivateKey, PublicKey

CONTENT = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "numpy", "version": "1.26.4"}]}


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A private key and the PEM file of its public part."""

    private: PrivateKey
    public_file: str

    @property
    def public(self) -> PublicKey:
        return self.private.public


def make_key(file: Path, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None) -> KeyPair:
    """A KeyPair of `key` (default: a new P-256 key); writes its public part to `file`."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    file.write_bytes(key.public_key().public_bytes(*form))
    return KeyPair(private=PrivateKey(key), public_file=str(file))


def push_image(registry: Registry, name: str, tag: str = "", architecture: str = "amd64") -> Manifest:
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


def push_index(registry: Registry, name: str, tag: str) -> Manifest:
    """The manifest of an index of two images."""
    images = [push_image(registry, f"{name} {each}", architecture=each) for each in ("amd64", "arm64")]
    return registry.put_manifest(image_index([each.descriptor for each in images]), tag)


def documents(registry: Registry, digest: str) -> dict[Document, bytes]:
    """An SBOM and a provenance of the image, as files."""
    provenance = statement(registry.reference.repository, [digest], PROVENANCE.predicate_type, {"buildDefinition": {}})
    return {SBOM: json.dumps(CONTENT).encode(), PROVENANCE: json.dumps(provenance).encode()}


@contextlib.contextmanager
def damaged(file: Path) -> Iterator[None]:
    """Changes one byte in the middle of the file for the duration of the block."""
    before = file.read_bytes()
    at = len(before) // 2
    file.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
    try:
        yield
    finally:
        file.write_bytes(before)
