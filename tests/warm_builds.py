"""Forks of a process that has imported the libraries of a conversion, which takes seconds: the main script, or code.

What runs is utils.make_triton_image, as the script runs it. Not run are make_triton_image.sh, utils/launch.py and the
choice of the environment: tests/server/test_build.py runs them for a model from the hub.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Imported once for each worker of pytest.
PRELOADED = "tests.preloaded"
Completed = subprocess.CompletedProcess[str]


def build(arguments: Sequence[str], environment: Mapping[str, str], place: Path) -> Completed:
    """`make_triton_image.sh ARGUMENT ...` in the folder `place` and with these variables, for at most 300 seconds."""
    return _forked(_script, ["make_triton_image.sh", *arguments], environment, place)


def python(code: str | Path, *arguments: object, environment: Mapping[str, str] = os.environ) -> str:
    """What `python -c CODE ARGUMENT ...` prints, or `python FILE ARGUMENT ...`; it must end with status 0."""
    start = _file if isinstance(code, Path) else _code
    done = _forked(start, [str(code), *map(str, arguments)], environment, Path.cwd())
    assert done.returncode == 0, done.stderr
    return done.stdout


def _forked(start: Callable[[], object], words: list[str], environment: Mapping[str, str], place: Path) -> Completed:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=_become, args=(start, words, dict(environment), str(place), folder))
        process.start()
        process.join(300)
        if process.is_alive():
            process.kill()
            process.join()
        out, err = (Path(folder, name).read_text(encoding="utf-8", errors="replace") for name in ("1", "2"))
        return subprocess.CompletedProcess(words, process.exitcode or 0, out, err)


def _become(
    start: Callable[[], object], words: list[str], environment: dict[str, str], place: str, folder: str
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    files = os.devnull, f"{folder}/1", f"{folder}/2"
    for descriptor, file in enumerate(files):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), descriptor)
    sys.argv = words
    start()


def _script() -> object:
    return runpy.run_module("utils.make_triton_image", run_name="__main__", alter_sys=True)


def _file() -> object:
    return runpy.run_path(sys.argv[0], run_name="__main__")


def _code() -> None:
    exec(compile(sys.argv[0], "-c", "exec"), {"__name__": "__main__"})
