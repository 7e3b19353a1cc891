"""The PEM files of keys, as far as they can be checked without any package installed. Standard library only."""

from pathlib import Path

from utils.host.errors import UsageError
from utils.host.plain_file import open_plain

MAKE_KEY = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out sign.key"
PUBLIC_PART = "openssl pkey -in sign.key -pubout -out sign.pub"
_LARGEST = 1 << 16  # bytes; a PEM file with a key has a few hundred
_COSIGN = (b"ENCRYPTED SIGSTORE PRIVATE KEY", b"ENCRYPTED COSIGN PRIVATE KEY")


def read_private_pem(option: str, file: Path) -> bytes:
    """The content of a file with a private key of any kind; UsageError that names `option` for any other file."""
    content = _read(option, file)
    if any(kind in content for kind in _COSIGN):
        raise UsageError(
            f"{option} {str(file)!r} is in cosign's own encrypted format, which only cosign reads; make a key with "
            f"`{MAKE_KEY}`, and import it with `cosign import-key-pair --key sign.key` if cosign needs it too"
        )
    if b"PUBLIC KEY-----" in content:
        raise UsageError(f"{option} {str(file)!r} is a public key; give the private key, which signs")
    if b"PRIVATE KEY-----" not in content:
        raise UsageError(f"{option} {str(file)!r} is not a private key in PEM; make one with `{MAKE_KEY}`")
    return content


def read_public_pem(option: str, file: Path) -> bytes:
    """The content of a file with a public key of any kind; UsageError that names `option` for any other file."""
    content = _read(option, file)
    if b"PRIVATE KEY-----" in content:
        raise UsageError(f"{option} {str(file)!r} is a private key; give the public key: `{PUBLIC_PART}`")
    if b"PUBLIC KEY-----" not in content:
        raise UsageError(f"{option} {str(file)!r} is not a public key in PEM; make one with `{PUBLIC_PART}`")
    return content


def _read(option: str, file: Path) -> bytes:
    try:
        with open_plain(file) as stream:
            return stream.read(_LARGEST)
    except OSError as error:
        raise UsageError(f"{option} {str(file)!r} cannot be read: {error.strerror}") from error
