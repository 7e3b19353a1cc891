"""One repository of a registry: manifests, blobs and referrers. Source: OCI distribution specification 1.1."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from utils.host import digest
from utils.host.errors import ReleaseError
from utils.registry.client import Client
from utils.registry.reference import Reference, parse_reference

SECONDS = 10.0
IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_ACCEPTED = (IMAGE_INDEX, IMAGE_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)
INDEXES = (IMAGE_INDEX, DOCKER_LIST)
_LARGEST_MANIFEST = 4 << 20  # the specification's limit
_LARGEST_BLOB = 64 << 20  # image configs, SBOMs and signatures; layers are docker's business


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest as its bytes are; `digest` is computed over them."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """Like "sha256:0123...": computed, not what the registry says."""
        return digest_of(self.content)

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The parsed content."""
        return dict(json.loads(self.content))

    @property
    def descriptor(self) -> dict[str, Any]:
        """What an index lists, or a referrer names as its subject."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


def digest_of(content: bytes) -> str:
    """The OCI digest of bytes."""
    return f"sha256:{digest.of_bytes(content)}"


class Registry:
    """The repository of `reference`. Every method raises ReleaseError with one sentence for what goes wrong."""

    def __init__(self, reference: Reference | str, *, insecure: bool = False, seconds: float = SECONDS) -> None:
        self.reference = parse_reference(reference) if isinstance(reference, str) else reference
        self._client = Client(self.reference, insecure=insecure or is_loopback(self.reference), seconds=seconds)

    def require_push(self) -> None:
        """Starts an upload and cancels it: the registry exists, and these credentials may push here."""
        location = self._start_upload(f"accept a push to {self.reference.repository}")
        with contextlib.suppress(ReleaseError):  # some registries cannot cancel; an upload without bytes expires
            self._client.request("DELETE", location).close()

    def find(self, tag_or_digest: str) -> Manifest | None:
        """The manifest, or None if the registry has none. ReleaseError if its bytes are not those of its digest."""
        response = self._client.request("GET", f"manifests/{tag_or_digest}", headers={"Accept": ", ".join(_ACCEPTED)})
        if response.status_code == 404:
            response.close()
            return None
        if response.status_code != 200:
            raise self._client.refusal(response, f"give the manifest of {self._named(tag_or_digest)}")
        content = self._client.read(response, _LARGEST_MANIFEST)
        stated = response.headers.get("Docker-Content-Digest", "")
        for expected in filter(None, (stated, tag_or_digest if ":" in tag_or_digest else "")):
            self._require_digest(digest_of(content), expected, f"manifest of {self._named(tag_or_digest)}")
        return Manifest(content=content, media_type=_media_type(content, response.headers.get("Content-Type", "")))

    def manifest(self, tag_or_digest: str) -> Manifest:
        """As `find`, but ReleaseError if there is none."""
        if found := self.find(tag_or_digest):
            return found
        raise ReleaseError(f"registry {self.reference.host} has no {self._named(tag_or_digest)}; check the reference")

    def put_manifest(self, fields_or_content: dict[str, Any] | bytes, tag: str = "") -> Manifest:
        """Stores a manifest by its digest, or also by `tag`. Its "subject", if any, gets it as a referrer."""
        content = fields_or_content
        if isinstance(content, dict):
            content = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
        manifest = Manifest(content=content, media_type=_media_type(content, ""))
        response = self._client.request(
            "PUT", f"manifests/{tag or manifest.digest}", content, {"Content-Type": manifest.media_type}
        )
        if response.status_code != 201:
            raise self._client.refusal(response, f"accept a manifest in {self.reference.repository}")
        response.close()
        if stated := response.headers.get("Docker-Content-Digest"):
            self._require_digest(manifest.digest, stated, f"manifest of {self._named(tag or manifest.digest)}")
        subject = manifest.fields.get("subject")
        if subject and "OCI-Subject" not in response.headers:
            self._list_referrer(subject["digest"], manifest)
        return manifest

    def blob(self, blob_digest: str) -> bytes:
        """The bytes of a small blob (a config, an SBOM), checked against the digest."""
        response = self._client.request("GET", f"blobs/{blob_digest}")
        what = f"blob {self._named(blob_digest)}"
        if response.status_code != 200:
            raise self._client.refusal(response, f"give the {what}")
        content = self._client.read(response, _LARGEST_BLOB)
        self._require_digest(digest_of(content), blob_digest, what)
        return content

    def pieces(self, blob_digest: str, size: int) -> Iterator[bytes]:
        """A blob of any size, in pieces. ReleaseError, at the end, for another digest or more than `size` bytes."""
        response = self._client.request("GET", f"blobs/{blob_digest}")
        what = f"blob {self._named(blob_digest)}"
        if response.status_code != 200:
            raise self._client.refusal(response, f"give the {what}")
        found, length = hashlib.sha256(), 0
        for piece in self._client.pieces(response, 1 << 20):
            found.update(piece)
            length += len(piece)
            if length > size:
                raise ReleaseError(f"the {what} has more than the {size} bytes that its manifest names")
            yield piece
        self._require_digest(f"sha256:{found.hexdigest()}", blob_digest, what)

    def put_blob(self, content: bytes, media_type: str = "application/octet-stream") -> dict[str, Any]:
        """Stores bytes, unless they are there; returns their descriptor."""
        found = digest_of(content)
        known = self._client.request("HEAD", f"blobs/{found}")
        known.close()
        if known.status_code != 200:
            action = f"accept a blob in {self.reference.repository}"
            place = self._start_upload(action)
            place += f"{'&' if '?' in place else '?'}digest={found}"
            stored = self._client.request("PUT", place, content, {"Content-Type": "application/octet-stream"})
            if stored.status_code != 201:
                raise self._client.refusal(stored, action)
            stored.close()
        return {"mediaType": media_type, "digest": found, "size": len(content)}

    def referrers(self, subject: str) -> Sequence[dict[str, Any]]:
        """Descriptors of the manifests whose subject is this digest, from the API or from the fallback tag."""
        response = self._client.request("GET", f"referrers/{subject}", headers={"Accept": IMAGE_INDEX})
        if response.status_code != 200:
            response.close()
            return self._listed(subject)
        return tuple(json.loads(self._client.read(response, _LARGEST_MANIFEST)).get("manifests", ()))

    def _listed(self, subject: str) -> tuple[dict[str, Any], ...]:
        index = self.find(fallback_tag(subject))
        return tuple(index.fields.get("manifests", ())) if index else ()

    def _list_referrer(self, subject: str, manifest: Manifest) -> None:
        """Adds a referrer to the index of the fallback tag: the registry has no referrers API."""
        entry = {**manifest.descriptor, "artifactType": manifest.fields.get("artifactType", "")}
        entry["artifactType"] = entry["artifactType"] or manifest.fields.get("config", {}).get("mediaType", "")
        if annotations := manifest.fields.get("annotations"):
            entry["annotations"] = annotations
        others = [each for each in self._listed(subject) if each["digest"] != manifest.digest]
        self.put_manifest(image_index([*others, entry]), fallback_tag(subject))

    def _start_upload(self, action: str) -> str:
        """The address of a new upload; the Location header may lack the host."""
        response = self._client.request("POST", "blobs/uploads/")
        if response.status_code != 202:
            raise self._client.refusal(response, action)
        response.close()
        location = response.headers["Location"]
        return location if "://" in location else f"{self._client.base}{location}"

    def _named(self, tag_or_digest: str) -> str:
        return f"{self.reference.repository}{'@' if ':' in tag_or_digest else ':'}{tag_or_digest}"

    def _require_digest(self, found: str, expected: str, what: str) -> None:
        if found != expected:
            raise ReleaseError(
                f"registry {self.reference.host} gives the {what} as {expected}, but its content has the digest "
                f"{found}; do not use this registry until it is repaired"
            )


def is_loopback(reference: Reference) -> bool:
    """Whether the registry is on this machine, where docker's engine does not insist on TLS."""
    return reference.host.startswith(("localhost:", "127.", "[::1]")) or reference.host == "localhost"


def image_index(descriptors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An OCI image index of these descriptors."""
    return {"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": list(descriptors)}


def fallback_tag(subject: str) -> str:
    """The tag that lists the referrers of a digest in a registry without the referrers API."""
    return subject.replace(":", "-")[:128]


def _media_type(content: bytes, header: str) -> str:
    """The manifest's own media type, else that of the Content-Type header."""
    try:
        named = json.loads(content).get("mediaType")
    except (ValueError, AttributeError):
        raise ReleaseError("the registry sent a manifest that is not a JSON object; check the registry") from None
    return str(named or header.partition(";")[0] or IMAGE_MANIFEST)
