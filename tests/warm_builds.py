"""The main script in a fork of a process that has imported the libraries of a conversion, which takes seconds.

What runs is utils.make_triton_image, as the script runs it. Not run are make_triton_image.sh, utils/launch.py and the
choice of the environment: tests/server/test_build.py, test_source_builds.py and test_tasks_page.py run them.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# Imported once for each worker of pytest.
PRELOADED = "tests.preloaded"


def build(arguments: Sequence[str], environment: Mapping[str, str], place: Path) -> "subprocess.CompletedProcess[str]":
    """`make_triton_image.sh ARGUMENT ...` in the folder `place` and with these variables, for at most 300 seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=_become, args=(list(arguments), dict(environment), str(place), folder))
        process.start()
        process.join(300)
        if process.is_alive():
            process.kill()
            process.join()
        out, err = (Path(folder, name).read_text(encoding="utf-8", errors="replace") for name in ("1", "2"))
        return subprocess.CompletedProcess(list(arguments), process.exitcode or 0, out, err)


def _become(arguments: list[str], environment: dict[str, str], place: str, folder: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    files = os.devnull, f"{folder}/1", f"{folder}/2"
    for descriptor, file in enumerate(files):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), descriptor)
    sys.argv = ["make_triton_image.sh", *arguments]
    runpy.run_module("utils.make_triton_image", run_name="__main__", alter_sys=True)
