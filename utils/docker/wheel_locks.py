"""The hashes that serving wheels may have, from the lock beside each requirements file (`.ci/lock` writes them)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from utils.host import digest
from utils.host.errors import ImageError

_LOCKED = re.compile(r"(?m)^([A-Za-z0-9._-]+==[^\s;]+)((?:[^\n]*\\\n)+[^\n]*)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")

# {"name==version": the SHA-256 digests of its files}.
Hashes = Mapping[str, frozenset[str]]


def locked_hashes(pins: Sequence[str], locks: Iterable[Path]) -> dict[str, frozenset[str]]:
    """The hashes of `pins` ("name==version"); ImageError for a pin that no lock has."""
    locks = list(locks)
    texts = [lock.read_text(encoding="utf-8") for lock in locks if lock.is_file()]
    known = {_key(pin): frozenset(_HASH.findall(rest)) for text in texts for pin, rest in _LOCKED.findall(text)}
    for pin in pins:
        if not known.get(_key(pin)):
            names = " and ".join(str(lock) for lock in locks)
            raise ImageError(
                f"the requirement {pin!r} has no hash in {names}; pin it with name==version, and write the lock of its "
                "file: uv pip compile --generate-hashes --universal --no-deps FILE.txt --output-file FILE.lock"
            )
    return {_key(pin): known[_key(pin)] for pin in pins}


def require_locked(wheels: Iterable[Path], hashes: Hashes, advice: str) -> dict[str, str]:
    """{"name==version": SHA-256} of the wheels; ImageError naming the first that is not one of `hashes`."""
    found = {}
    for wheel in sorted(wheels):
        pin, content = pin_of(wheel.name), digest.of_file(wheel)
        if content not in hashes.get(pin, frozenset()):
            raise ImageError(
                f"the wheel {wheel.name} is not the locked one: its SHA-256 is {content}, which the locks do not have "
                f"for {pin}; {advice}"
            )
        found[pin] = content
    return found


def pin_of(wheel: str) -> str:
    """The requirement that a file name meets: numpy==1.26.4 for numpy-1.26.4-cp312-cp312-manylinux_2_17_x86_64.whl."""
    name, version, *_ = [*wheel.removesuffix(".whl").split("-"), ""]
    return _key(f"{name}=={version}")


def as_lines(hashes: Hashes) -> str:
    """A requirements file with hashes."""
    lines = (" ".join([pin, *(f"--hash=sha256:{each}" for each in sorted(of))]) for pin, of in sorted(hashes.items()))
    return "".join(f"{line}\n" for line in lines)


def read_lines(file: Path) -> dict[str, frozenset[str]]:
    """The hashes in a file that `as_lines` wrote."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return {_key(line.split()[0]): frozenset(_HASH.findall(line)) for line in lines if _HASH.search(line)}


def _key(pin: str) -> str:
    """`pin` with the normalized name, as in the file names of wheels: lower case, `_` for `.` and `-`."""
    name, _, version = pin.partition("==")
    return f"{re.sub(r'[-_.]+', '_', name).lower()}=={version}"
