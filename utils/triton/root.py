"""Another Triton than the one from PyPI: TRITON_ROOT names its folder, laid out as NVIDIA's images lay it out.

`python3 utils/launch.py utils.triton.root` exits 2 with one sentence for a TRITON_ROOT that cannot be used.
"""

import os
import re
import shutil
from pathlib import Path

from utils.host import digest, entry
from utils.host.errors import UsageError
from utils.triton.layout import OUR_BACKENDS, backend_files, renew

VARIABLE = "TRITON_ROOT"
PROGRAM = "bin/tritonserver"
STUB = "backends/python/triton_python_backend_stub"


def chosen() -> Path | None:
    """The folder, None where the variable is not set. Raises UsageError for one that lacks what every Triton has."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    root = Path(text).resolve()
    for part in (PROGRAM, STUB):
        if not os.access(root / part, os.X_OK) or not (root / part).is_file():
            raise UsageError(
                f"{VARIABLE} is {text!r}, which has no program {part}; give a folder laid out as /opt/tritonserver "
                f"of NVIDIA's image, or leave {VARIABLE} out"
            )
    return root


def lay_out(root: Path, version: str, destination: Path) -> None:
    """Links `root` at `destination`, with our Python-based backends in the place of those that it lacks.

    Raises UsageError when its Python stub is for another version of Python than `version` ("3.11").
    """
    made_for = stub_version(root)
    if made_for not in ("", version):
        raise UsageError(
            f"the Python stub in {VARIABLE} {str(root)!r} is for Python {made_for} and the environment's Python is "
            f"{version}; put Python {made_for} first on PATH as python3 and remove {destination.parent.name}"
        )
    backends = sorted((root / "backends").iterdir())
    signature = digest.of_text(f"{root} {backends} {digest.of_files(backend_files())}")
    renew(destination, signature, lambda folder: _fill(folder, root))


def stub_version(root: Path) -> str:
    """The version of Python whose library the stub is linked against; "" where it names none."""
    found = re.search(rb"libpython(3\.[0-9]+)", (root / STUB).read_bytes())
    return found[1].decode() if found else ""


def _fill(folder: Path, root: Path) -> None:
    (folder / "backends").mkdir(parents=True)
    (folder / "caches").mkdir()  # where there is one, it is replaced by a link
    for part in ("bin", "lib", "caches"):
        if (root / part).is_dir():
            shutil.rmtree(folder / part, ignore_errors=True)
            (folder / part).symlink_to(root / part)
    for backend in (root / "backends").iterdir():
        (folder / "backends" / backend.name).symlink_to(backend)
    for ours in OUR_BACKENDS.iterdir():
        if not (folder / "backends" / ours.name).exists():
            shutil.copytree(ours, folder / "backends" / ours.name, ignore=shutil.ignore_patterns("__pycache__"))


if __name__ == "__main__":
    entry.run(lambda: str(chosen() or ""))
