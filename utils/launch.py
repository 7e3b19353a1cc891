"""Runs a module of the project, as `python -m` does, from any current folder.

That folder may have a `utils` of its own, which `-m` would import. The scripts start here with the python3 on PATH, so
an old Python must be able to read this file. It then runs the Python of an environment, or reports the old version.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
CONSOLE = {
    "triton-image-factory": ("utils.host.environment", "utils.make_triton_image"),
    "triton-image-factory-process-template": ("utils.host.environment", "utils.process_template"),
    "triton-image-factory-serve": ("utils.serve",),
    "triton-image-factory-cleanup": ("utils.cleanup",),
    "triton-image-factory-doctor": ("utils.doctor",),
    "triton-image-factory-verify": ("utils.host.environment", "utils.verify"),
}


def newer_python() -> "Path | None":
    """An interpreter of the project's environments that is new enough; None if there is none."""
    check = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    for python in sorted(Path(__file__).resolve().parent.parent.glob(".venv*/bin/python")):
        try:
            if subprocess.run([str(python), "-I", "-c", check], stderr=subprocess.DEVNULL).returncode == 0:
                return python
        except OSError:
            continue  # not a program of this machine
    return None


def console() -> None:
    """A console script of the installed package: runs what the script of the same purpose runs in a checkout."""
    here = Path(__file__).resolve()
    os.environ.update(PYTHONPATH=str(here.parent.parent), ORT_DISABLE_TELEMETRY="1")
    modules = CONSOLE[Path(sys.argv[0]).name]
    os.execv(sys.executable, [sys.executable, str(here), *modules, *sys.argv[1:]])


def main() -> int:
    """`launch.py MODULE [ARGUMENT ...]`; Returns 2 if Python is too old and no environment has a newer one."""
    if sys.version_info < OLDEST:
        python = newer_python()
        if python:
            os.execv(str(python), [str(python), *sys.argv])
        needed, found = (".".join(map(str, version[:2])) for version in (OLDEST, sys.version_info))
        sys.stderr.write("error: python3 is " + found + "; Python " + needed + " or newer is needed: put one on PATH\n")
        return 2
    if sys.argv[1].startswith("utils."):
        # Until the commands handle signals (signals.py) there is nothing to clean up.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda caught, _frame: os._exit(128 + caught))
    import runpy

    here = Path(__file__).resolve().parent
    sys.path[:] = [str(here.parent)] + [place for place in sys.path if place and Path(place).resolve() != here]
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
