"""Checks at the end of `docker build`, as the image's user, that its programs start and its libraries load.

Exit code 0, or 1 with one sentence. RUNTIME is the Dockerfile's argument. Standard library only.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

TRITON = Path("/opt/tritonserver")
SERVING = Path(__file__).parent
# The other backends of a full image may need a GPU driver, which a build does not have.
BACKENDS = {"slim": ("python", "onnxruntime")}
LOADER_ERROR = "error while loading shared libraries"


class Fault(Exception):  # noqa: N818 - a word of the documentation
    """What does not start, and why."""


def main() -> None:
    """Raises Fault for the first check that fails."""
    if "Usage:" not in _run(TRITON / "bin/tritonserver", "--help"):  # the exit code is 0 or 1, depending on the release
        raise Fault("tritonserver --help does not print its usage")
    _run(TRITON / "backends/python/triton_python_backend_stub")  # without arguments it prints its usage and exits
    _import_packages()
    # Last: under qemu 7.2, where onnxruntime crashes, this process never ended if it had loaded the libraries before.
    _load_backends(BACKENDS.get(os.environ.get("RUNTIME", ""), ("python",)))


def _run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace")
    if LOADER_ERROR in done.stderr or done.returncode < 0:
        raise Fault(f"{command[0]} does not start: {done.stderr.strip() or f'signal {-done.returncode}'}")
    return done.stdout + done.stderr


def _load_backends(names: tuple[str, ...]) -> None:
    """Loads the libraries in Triton's order: its own library first."""
    backends = (TRITON / f"backends/{name}/libtriton_{name}.so" for name in names)
    for library in (TRITON / "lib/libtritonserver.so", *backends):
        try:
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise Fault(f"{library} does not load: {error}") from error


def _import_packages() -> None:
    """Imports the packages of the served models and the supervisor, in the environment of the models."""
    names = [*sorted(path.parent.name for path in SERVING.glob("*/__init__.py")), "supervisor.main"]
    names += ["api.main"] if (SERVING / "api").is_dir() else []
    done = subprocess.run(["python3", "-c", f"import {', '.join(names)}"], capture_output=True, text=True)
    if done.returncode:
        raise Fault(f"python3 cannot import {', '.join(names)}: {done.stderr.strip().splitlines()[-1]}")


if __name__ == "__main__":
    try:
        main()
    except Fault as fault:
        sys.exit(f"ERROR: {fault}")
