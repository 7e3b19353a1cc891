"""What is signed, byte for byte: an image in cosign's simple-signing form, a statement about it in a DSSE envelope.

Sources: containers/image docs/containers-signature.5, sigstore/cosign specs/SIGNATURE_SPEC.md,
secure-systems-lab/dsse protocol.md and envelope.md, in-toto/attestation spec/v1.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from utils.host.errors import ReleaseError
from utils.release.documents import STATEMENT_TYPE
from utils.release.signature_keys import PrivateKey, PublicKey

IMAGE_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
IMAGE_SIGNATURE = "dev.cosignproject.cosign/signature"
STATEMENT = "application/vnd.in-toto+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
_IMAGE_TYPE = "cosign container image signature"


def image_payload(repository: str, digest: str) -> bytes:
    """What the signature of the image `digest` (sha256:...) in `repository` (registry/name) signs."""
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": digest},
        "type": _IMAGE_TYPE,
    }
    return canonical({"critical": critical, "optional": None})


def signed_image(payload: bytes) -> str:
    """The digest of the image that a payload names; ReleaseError for another kind of payload."""
    critical = parsed(payload, "the image signature's payload").get("critical")
    if not isinstance(critical, dict) or critical.get("type") != _IMAGE_TYPE or "image" not in critical:
        raise ReleaseError("the image signature's payload does not name an image")
    return str(critical["image"].get("docker-manifest-digest") if isinstance(critical["image"], dict) else "")


def statement(repository: str, digests: Sequence[str], predicate_type: str, predicate: object) -> dict[str, Any]:
    """The in-toto statement that `predicate` is true of the images `digests` (sha256:...)."""
    pairs = [each.split(":", 1) for each in digests]
    subjects = [{"name": repository, "digest": {algorithm: value}} for algorithm, value in pairs]
    return {"_type": STATEMENT_TYPE, "subject": subjects, "predicateType": predicate_type, "predicate": predicate}


def is_about(content: Mapping[str, Any], digest: str) -> bool:
    """Whether the image `digest` (sha256:...) is among a statement's subjects."""
    algorithm, _, value = digest.partition(":")
    subjects = content.get("subject")
    return isinstance(subjects, list) and any(
        isinstance(each, dict) and isinstance(each.get("digest"), dict) and each["digest"].get(algorithm) == value
        for each in subjects
    )


def envelope(content: Mapping[str, Any], key: PrivateKey) -> bytes:
    """A statement with its signature, as a DSSE envelope."""
    payload = canonical(content)
    signature = {"keyid": key.public.fingerprint, "sig": key.sign(pre_authentication(STATEMENT, payload))}
    packed = base64.b64encode(payload).decode()
    return canonical({"payloadType": STATEMENT, "payload": packed, "signatures": [signature]})


def opened(content: bytes, key: PublicKey, what: str) -> dict[str, Any]:
    """The statement in a DSSE envelope; ReleaseError, which says `what` it is, unless `key` signed it."""
    fields = parsed(content, f"the envelope of {what}")
    try:
        payload = base64.b64decode(fields["payload"], validate=True)
        kind, signatures = fields["payloadType"], [each["sig"] for each in fields["signatures"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ReleaseError(f"the envelope of {what} is not a DSSE envelope") from error
    if kind != STATEMENT:
        raise ReleaseError(f"the envelope of {what} holds {kind!r}, not {STATEMENT}")
    signed = pre_authentication(kind, payload)
    if not any(key.verifies(str(each), signed) for each in signatures):
        raise ReleaseError(f"the signature of {what} does not match its content and this key")
    return parsed(payload, f"the statement of {what}")


def pre_authentication(kind: str, payload: bytes) -> bytes:
    """The bytes that a DSSE signature signs: PAE of its protocol, version 1."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def canonical(content: object) -> bytes:
    """JSON without spaces, keys in order: the same content has the same digest."""
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def parsed(content: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `content`; ReleaseError that says `what` it is."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"{what} is not valid JSON ({error})") from error
    if not isinstance(found, dict):
        raise ReleaseError(f"{what} does not contain a JSON object")
    return found
