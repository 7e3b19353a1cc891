"""Lays out the Triton of the nvidia-pytriton package as NGC images do: bin, lib, backends, caches."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from utils import ROOT
from utils.host import digest, lock
from utils.host.errors import UsageError
from utils.host.link_or_copy import link

OUR_BACKENDS = ROOT / "deploy/pypi_triton/backends"
_FACTS = """
import json, sys, sysconfig
var = sysconfig.get_config_var
print(json.dumps([sysconfig.get_path("platlib"), "%d.%d" % sys.version_info[:2], var("LIBDIR") or "", sys.base_prefix]))
"""
_LOAD = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The facts about an environment's Python that Triton's Python backend needs."""

    python: Path
    site_packages: Path
    version: str
    library_folders: tuple[Path, ...]

    @property
    def library(self) -> str:
        """The library that the stub is linked against."""
        return f"libpython{self.version}.so.1.0"

    def library_path(self) -> tuple[Path, ...]:
        """Folders to add to LD_LIBRARY_PATH for libpython; none when the loader finds it.

        Raises UsageError when libpython is not installed.
        """
        for folder in self.library_folders:
            if (folder / self.library).exists():
                return (folder,)
        if subprocess.run([self.python, "-c", _LOAD, self.library], capture_output=True).returncode == 0:
            return ()
        raise UsageError(
            f"{self.library}, which Triton's Python backend loads, is not found: run apt-get install "
            f"libpython{self.version}, or put a Python built with --enable-shared on PATH and remove .venv-serving"
        )


def inspect_interpreter(environment_python: Path) -> Interpreter:
    """Runs the interpreter of an environment and returns its facts."""
    answer = subprocess.run([environment_python, "-I", "-c", _FACTS], stdout=subprocess.PIPE, check=True, text=True)
    site_packages, version, libdir, prefix = json.loads(answer.stdout)
    folders = tuple(Path(folder) for folder in (libdir, f"{prefix}/lib") if folder)
    return Interpreter(
        python=environment_python, site_packages=Path(site_packages), version=version, library_folders=folders
    )


def keep_bytecode_apart(interpreter: Interpreter, folder: Path) -> None:
    """Makes the environment's Python write its bytecode below `folder`, not into a model repository.

    With a .pth file, because the stubs run in isolated mode, which ignores PYTHON* variables.
    """
    setting = interpreter.site_packages / "bytecode_apart.pth"
    line = f"import sys; sys.pycache_prefix = {str(folder)!a}\n"
    if not (setting.is_file() and setting.read_text() == line):
        partial = setting.with_suffix(f".{os.getpid()}")
        partial.write_text(line)
        partial.replace(setting)


def lay_out(environment_python: Path, destination: Path) -> None:
    """Creates destination/{bin,lib,backends/python,backends/onnxruntime,caches} from the environment's nvidia-pytriton.

    Does nothing when the layout is up to date; parallel callers wait for each other; a partial layout is never visible.
    Raises UsageError when the package is not installed or has no stub for this version of Python.
    """
    interpreter = inspect_interpreter(environment_python)
    renew(destination, _digest(interpreter), lambda folder: _fill(folder, interpreter))


def renew(destination: Path, signature: str, fill: Callable[[Path], None]) -> None:
    """Fills a new folder and moves it to `destination`, unless that has this signature."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    with lock.exclusive(destination.parent / f".{destination.name}.lock"):
        stamp = destination / "layout.sha256"
        if stamp.is_file() and stamp.read_text() == signature:
            return
        partial, former = (destination.with_name(f".{destination.name}.{end}") for end in ("partial", "former"))
        for leftover in (partial, former):
            shutil.rmtree(leftover, ignore_errors=True)
        fill(partial)
        (partial / stamp.name).write_text(signature)
        if destination.exists():
            destination.rename(former)
        partial.rename(destination)
        shutil.rmtree(former, ignore_errors=True)


def _digest(interpreter: Interpreter) -> str:
    """Changes with the package, the Python and each file of this project's backends."""
    records = sorted(interpreter.site_packages.glob("nvidia_pytriton-*.dist-info/RECORD"))
    if not records:
        raise UsageError(
            f"nvidia-pytriton is not installed for {interpreter.python}: it carries the Triton server; "
            "install deploy/pypi_triton/requirements.txt there with --no-deps"
        )
    files = {**backend_files(), **{path.name: path for path in records}}
    return digest.of_text(f"{interpreter.site_packages} {interpreter.version} {digest.of_files(files)}")


def backend_files() -> dict[str, Path]:
    """The files of this project's Python-based backends, by their path below OUR_BACKENDS."""
    files = sorted(path for path in OUR_BACKENDS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(OUR_BACKENDS).as_posix(): path for path in files}


def _fill(folder: Path, interpreter: Interpreter) -> None:
    source = interpreter.site_packages / "pytriton" / "tritonserver"
    stubs = source / "python_backend_stubs"
    stub = stubs / interpreter.version / "triton_python_backend_stub"
    if not stub.is_file():
        known = ", ".join(sorted((path.name for path in stubs.iterdir()), key=lambda name: int(name.split(".")[1])))
        raise UsageError(
            f"this Triton has no stub for Python {interpreter.version}, only for {known}: put one of these first on "
            "PATH as python3 and remove .venv-serving"
        )
    for part in ("bin", "backends", "caches"):
        shutil.copytree(source / part, folder / part, copy_function=link)
    shutil.copytree(interpreter.site_packages / "nvidia_pytriton.libs", folder / "lib", copy_function=link)
    for program, place in ((source / "bin/tritonserver", "bin"), (stub, "backends/python")):
        # A separate copy, because some installers do not keep the mode of programs.
        target = folder / place / program.name
        target.unlink(missing_ok=True)
        shutil.copyfile(program, target)
        target.chmod(0o755)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(OUR_BACKENDS, folder / "backends", ignore=ignore, dirs_exist_ok=True)
