"""Verifies a released image against a public key: signature, SBOM, provenance, and the bytes of every blob."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from utils.host.disk import gigabytes
from utils.host.errors import ReleaseError
from utils.host.exceptions import raised_as
from utils.registry.registry import Manifest, Registry
from utils.release.attach import PREDICATE_TYPE, images_of, signatures_of
from utils.release.documents import DOCUMENTS, Document
from utils.release.signature import ENVELOPE, IMAGE_PAYLOAD, IMAGE_SIGNATURE, is_about, opened, signed_image
from utils.release.signature_keys import PublicKey


@dataclass(frozen=True, kw_only=True)
class Check:
    """A part of a release that was verified, and what was found."""

    part: str
    found: str


def verify(registry: Registry, image: Manifest, key: PublicKey) -> Iterator[Check]:
    """Each check as it is done, the quick ones first. ReleaseError (9) for the first that fails."""
    with raised_as(ReleaseError):
        verifier = _Verifier(registry, image.digest, key)
        yield Check(part="signature", found=verifier.signature())
        for document in DOCUMENTS:
            yield Check(part=document.name, found=verifier.document(document))
        parts = [registry.manifest(each) for each in images_of(image)]
        yield Check(part="manifests", found=f"{len(parts) + 1}, each with the content of its digest")
        blobs = {str(each["digest"]): int(each["size"]) for part in parts or [image] for each in _blobs(part)}
        for blob, size in blobs.items():
            for _ in registry.pieces(blob, size):
                pass  # its end checks the digest and the size
        found = f"{len(blobs)} ({gigabytes(sum(blobs.values()))}), each with the content of its digest"
        yield Check(part="blobs", found=found)


def _blobs(image: Manifest) -> Iterator[Mapping[str, Any]]:
    """The descriptors of an image's config and layers."""
    yield image.fields["config"]
    yield from image.fields["layers"]


class _Verifier:
    """Verifies what is attached to one image. Others may have attached and signed too: one match is enough."""

    def __init__(self, registry: Registry, digest: str, key: PublicKey) -> None:
        self._registry, self._digest, self._key = registry, digest, key
        self._name = f"{registry.reference.repository}@{digest}"
        self._by_key = f"made by the key {key.fingerprint[:16]}, about this image"

    def signature(self) -> str:
        what = f"the signature of {self._name}"
        with _naming(what):
            layers = signatures_of(self._registry, self._digest)
        found = [each for each in layers if each.get("mediaType") == IMAGE_PAYLOAD]
        return _first(found, partial(self._signature, what), f"{self._name} has no signature")

    def _signature(self, what: str, layer: Mapping[str, Any]) -> str:
        with _naming(what):
            payload = self._registry.blob(str(layer["digest"]))
        if not self._key.verifies(str((layer.get("annotations") or {}).get(IMAGE_SIGNATURE)), payload):
            raise ReleaseError(f"{what} does not match its content and this key")
        if (signed := signed_image(payload)) != self._digest:
            raise ReleaseError(f"{what} is the signature of another image, {signed}")
        return self._by_key

    def document(self, document: Document) -> str:
        what = f"the {document.name} of {self._name}"
        with _naming(what):
            attached = self._registry.referrers(self._digest)
        found = [
            each
            for each in attached
            if each.get("artifactType") == ENVELOPE
            and (each.get("annotations") or {}).get(PREDICATE_TYPE) == document.predicate_type
        ]
        missing = f"{self._name} has no signed {document.name}"
        return _first(found, partial(self._document, what, document), missing)

    def _document(self, what: str, document: Document, referrer: Mapping[str, Any]) -> str:
        with _naming(what):
            (layer,) = self._registry.manifest(str(referrer["digest"])).fields["layers"]
            content = self._registry.blob(str(layer["digest"]))
        statement = opened(content, self._key, what)
        if not is_about(statement, self._digest):
            raise ReleaseError(f"{what} is about another image")
        if statement.get("predicateType") != document.predicate_type:
            raise ReleaseError(f"{what} is a statement of type {statement.get('predicateType')!r}")
        return self._by_key


def _first(found: Iterable[Mapping[str, Any]], check: Callable[[Mapping[str, Any]], str], missing: str) -> str:
    """The result of the first that passes the check; else ReleaseError, for the last or for none."""
    failure = ReleaseError(f"{missing}; release it again with --push --sign-key")
    for each in found:
        try:
            return check(each)
        except ReleaseError as error:
            failure = error
    raise failure


@contextlib.contextmanager
def _naming(what: str) -> Iterator[None]:
    """An error of the registry, or a field that its answer lacks, becomes a ReleaseError that says for what."""
    try:
        yield
    except ReleaseError as error:
        raise ReleaseError(f"{what} cannot be verified: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ReleaseError(f"{what} cannot be verified: its manifest has another form") from error
