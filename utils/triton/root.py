"""Another Triton than the one from PyPI: TRITON_ROOT is its folder, with the layout of NVIDIA's images.

`python3 utils/launch.py utils.triton.root` exits with 2 for a TRITON_ROOT that cannot be used.
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


def selected() -> Path | None:
    """The folder, None if the variable is not set. Raises UsageError for a folder without a Triton."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    root = Path(text).resolve()
    for part in (PROGRAM, STUB):
        if not os.access(root / part, os.X_OK) or not (root / part).is_file():
            raise UsageError(
                f"{VARIABLE} is {text!r}, which has no program {part}; set it to a folder like /opt/tritonserver in "
                f"NVIDIA's image, or unset it"
            )
    return root


def lay_out(root: Path, version: str, destination: Path) -> None:
    """Links `root` at `destination`, and adds this project's Python-based backends that it lacks.

    Raises UsageError when its Python stub is for another version of Python than `version` ("3.11").
    """
    required = stub_version(root)
    if required not in ("", version):
        raise UsageError(
            f"the Python stub in {VARIABLE} {str(root)!r} is for Python {required} and the environment's Python is "
            f"{version}; put Python {required} first on PATH as python3 and remove {destination.parent.name}"
        )
    backends = sorted((root / "backends").iterdir())
    signature = digest.of_text(f"{root} {backends} {digest.of_files(backend_files())}")
    renew(destination, signature, lambda folder: _fill(folder, root))


def stub_version(root: Path) -> str:
    """The version of the libpython that the stub is linked against; "" if there is none."""
    found = re.search(rb"libpython(3\.[0-9]+)", (root / STUB).read_bytes())
    return found[1].decode() if found else ""


def _fill(folder: Path, root: Path) -> None:
    (folder / "backends").mkdir(parents=True)
    (folder / "caches").mkdir()  # replaced by a link if `root` has one
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
    entry.run(lambda: str(selected() or ""))
