"""Bearer keys: one a line of a file."""

import hashlib
import hmac
from pathlib import Path

SCHEME = "bearer"


class Keys:
    """Compares digests in constant time; no key is kept or shown."""

    def __init__(self, file: Path | None) -> None:
        """None: everybody may ask. The supervisor has checked the file (deploy/supervisor/api_settings.py)."""
        lines = file.read_text(encoding="utf-8").splitlines() if file else []
        self._digests = [_digest(line.strip().encode()) for line in lines if line.strip()]
        self.are_needed = file is not None

    def allow(self, authorization: str | None) -> bool:
        """Whether the header has one of the keys; every key is compared."""
        if not self.are_needed:
            return True
        scheme, _, key = (authorization or "").partition(" ")
        digest = _digest(key.strip().encode("latin-1"))
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return scheme.lower() == SCHEME and any(matches)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
