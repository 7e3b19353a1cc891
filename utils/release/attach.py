"""Attaches SBOM and provenance to a pushed image as OCI referrers, and signs all three.

Without a key the files are attached as they are. With a key each is a statement about the image in a signed envelope,
and the image's own signature is where cosign and skopeo look for it: the tag `sha256-<hexadecimal>.sig`.
Sources: OCI distribution and image specifications 1.1, sigstore/cosign specs/SIGNATURE_SPEC.md.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.host.errors import ReleaseError
from utils.registry.registry import IMAGE_MANIFEST, INDEXES, Manifest, Registry
from utils.release.documents import DOCUMENTS, Document
from utils.release.signature import (
    ENVELOPE,
    IMAGE_PAYLOAD,
    IMAGE_SIGNATURE,
    STATEMENT,
    canonical,
    envelope,
    image_payload,
    is_about,
    parsed,
    statement,
)
from utils.release.signature_keys import PrivateKey

PREDICATE_TYPE = "predicateType"
_TITLE = "org.opencontainers.image.title"
_IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
_EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"


def attach(registry: Registry, digest: str, contents: Mapping[Document, bytes], key: PrivateKey | None) -> None:
    """Attaches the files to the image `digest` (sha256:...) and, of an index, to each image in it.

    Signs everything with `key` unless it is None. Raises ReleaseError.
    """
    image = registry.manifest(digest)
    images = [image, *(registry.manifest(each) for each in images_of(image))]
    digests = [each.digest for each in images]
    for document, content in contents.items():
        blob = _signed(registry, document, content, digests, key) if key else content
        kind = ENVELOPE if key else document.media_type
        for each in images:
            _refer(registry, document, blob, kind, each)
    if key:
        for signed in digests:
            _sign_image(registry, signed, key)


def documents_in(tree: Path) -> dict[Document, bytes]:
    """The files of a build tree that describe its image."""
    return {each: (tree / each.file).read_bytes() for each in DOCUMENTS if (tree / each.file).is_file()}


def images_of(image: Manifest) -> Sequence[str]:
    """The digests of the manifests that an index lists; () for the manifest of one image."""
    return [str(each["digest"]) for each in image.fields.get("manifests", ())] if image.media_type in INDEXES else ()


def signature_tag(digest: str) -> str:
    """The tag where cosign keeps the signatures of an image."""
    return f"{digest.replace(':', '-')}.sig"


def _signed(registry: Registry, document: Document, content: bytes, digests: Sequence[str], key: PrivateKey) -> bytes:
    """The file as a signed statement about the images. A file that is a statement keeps its other fields."""
    fields = parsed(content, document.file)
    about = statement(registry.reference.repository, digests, document.predicate_type, fields)
    if document.media_type == STATEMENT:
        if not is_about(fields, digests[0]):
            raise ReleaseError(f"{document.file} is not about {digests[0]}; build and push again")
        about = {**fields, "subject": about["subject"]}
    return envelope(about, key)


def _refer(registry: Registry, document: Document, content: bytes, kind: str, image: Manifest) -> None:
    layer = {**registry.put_blob(content, kind), "annotations": {_TITLE: document.file}}
    fields = {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "artifactType": kind,
        "config": registry.put_blob(b"{}", _EMPTY_CONFIG),
        "layers": [layer],
        "subject": image.descriptor,
        "annotations": {PREDICATE_TYPE: document.predicate_type},
    }
    registry.put_manifest(fields)


def _sign_image(registry: Registry, digest: str, key: PrivateKey) -> None:
    """Adds a signature to those that the image has, of other keys for instance."""
    payload = image_payload(registry.reference.repository, digest)
    layer = {**registry.put_blob(payload, IMAGE_PAYLOAD), "annotations": {IMAGE_SIGNATURE: key.sign(payload)}}
    layers = signatures_of(registry, digest)
    if layer in layers:
        return
    layers = [*layers, layer]
    root = {"type": "layers", "diff_ids": [each["digest"] for each in layers]}
    config = {"architecture": "", "os": "", "config": {}, "rootfs": root}
    fields: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "config": registry.put_blob(canonical(config), _IMAGE_CONFIG),
        "layers": layers,
    }
    registry.put_manifest(fields, signature_tag(digest))


def signatures_of(registry: Registry, digest: str) -> list[dict[str, Any]]:
    """The layers with the signatures of an image; [] if it has none."""
    found = registry.find(signature_tag(digest))
    layers = found.fields.get("layers") if found else None
    return [each for each in layers if isinstance(each, dict)] if isinstance(layers, list) else []
