"""The keys of signatures: PEM files with an EC P-256 or an Ed25519 key, the kinds that cosign and skopeo verify."""

import base64
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from utils.host import digest
from utils.host.errors import UsageError
from utils.release.signature_files import MAKE_KEY, PUBLIC_PART, read_private_pem, read_public_pem

PASSPHRASE = "COSIGN_PASSWORD"


class PublicKey:
    """Verifies signatures: ECDSA with SHA-256 for P-256, pure Ed25519 otherwise."""

    def __init__(self, key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> None:
        self._key = key

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key in DER (SubjectPublicKeyInfo), hexadecimal."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return digest.of_bytes(self._key.public_bytes(serialization.Encoding.DER, form))

    def verifies(self, signature: str, content: bytes) -> bool:
        """Whether `signature` (base64) is one of `content` by this key."""
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(base64.b64decode(signature, validate=True), content)
            else:
                self._key.verify(base64.b64decode(signature, validate=True), content, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


class PrivateKey:
    """Signs. Its repr does not show the key."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> PublicKey:
        """The key that verifies the signatures of this one."""
        return PublicKey(self._key.public_key())

    def sign(self, content: bytes) -> str:
        """The signature of `content` in base64, the same each time (ECDSA: RFC 6979)."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return base64.b64encode(self._key.sign(content)).decode()
        scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        return base64.b64encode(self._key.sign(content, scheme)).decode()


def read_private_key(option: str, file: Path) -> PrivateKey:
    """The key in a PEM `file` (PKCS#8 or SEC1); UsageError that names `option` for any other file.

    The passphrase of an encrypted file is in the variable COSIGN_PASSWORD, which child processes do not inherit.
    """
    passphrase = os.environ.pop(PASSPHRASE, "")
    content = read_private_pem(option, file)
    key = _load_private_key(option, file, content, passphrase)
    if not isinstance(key, ed25519.Ed25519PrivateKey) and not _is_p256(key):
        raise _wrong_kind(option, file, key, MAKE_KEY)
    return PrivateKey(key)


def _load_private_key(option: str, file: Path, content: bytes, passphrase: str) -> Any:
    try:
        return serialization.load_pem_private_key(content, None)
    except TypeError as error:  # encrypted
        if not passphrase:
            raise UsageError(
                f"{option} {str(file)!r} is encrypted; set the environment variable {PASSPHRASE} to its passphrase"
            ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{option} {str(file)!r} is a damaged private key; make one with `{MAKE_KEY}`") from error
    try:
        return serialization.load_pem_private_key(content, passphrase.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{option} {str(file)!r} does not open with the passphrase in {PASSPHRASE}") from error


def read_public_key(option: str, file: Path) -> PublicKey:
    """The key in a PEM `file`; UsageError that names `option` for any other file."""
    content = read_public_pem(option, file)
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{option} {str(file)!r} is a damaged public key; make one with `{PUBLIC_PART}`") from error
    if isinstance(key, ed25519.Ed25519PublicKey) or (isinstance(key, ec.EllipticCurvePublicKey) and _is_p256(key)):
        return PublicKey(key)
    raise _wrong_kind(option, file, key, PUBLIC_PART)


def _is_p256(key: Any) -> bool:
    return isinstance(getattr(key, "curve", None), ec.SECP256R1)


def _wrong_kind(option: str, file: Path, key: Any, command: str) -> UsageError:
    curve = getattr(key, "curve", None)
    kind = curve.name if curve else type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey")
    return UsageError(f"{option} {str(file)!r} is a key of kind {kind}; use EC P-256 or Ed25519: `{command}`")
