"""Lays out the Triton of the nvidia-pytriton package as NGC's images do: bin, lib, backends, caches."""

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
_ASK = """
import json, sys, sysconfig
ask = sysconfig.get_config_var
print(json.dumps([sysconfig.get_path("platlib"), "%d.%d" % sys.version_info[:2], ask("LIBDIR") or "", sys.base_prefix]))
"""
_LOAD = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """What Triton's Python backend must know of an environment's Python."""

    python: Path
    site_packages: Path
    version: str
    library_folders: tuple[Path, ...]

    @property
    def library(self) -> str:
        """The name the stub is linked against."""
        return f"libpython{self.version}.so.1.0"

    def library_path(self) -> tuple[Path, ...]:
        """Folders to add to LD_LIBRARY_PATH so that libpython is found; none when the loader knows it.

        Raises UsageError when it is nowhere.
        """
        for folder in self.library_folders:
            if (folder / self.library).exists():
                return (folder,)
        if subprocess.run([self.python, "-c", _LOAD, self.library], capture_output=True).returncode == 0:
            return ()
        raise UsageError(
            f"{self.library}, which Triton's Python backend loads, is not found: apt-get install "
            f"libpython{self.version}, or put a Python built with --enable-shared on PATH and remove .venv-serving"
        )


def ask(environment_python: Path) -> Interpreter:
    """The facts of the interpreter of an environment."""
    answer = subprocess.run([environment_python, "-I", "-c", _ASK], stdout=subprocess.PIPE, check=True, text=True)
    site_packages, version, libdir, prefix = json.loads(answer.stdout)
    folders = tuple(Path(folder) for folder in (libdir, f"{prefix}/lib") if folder)
    return Interpreter(
        python=environment_python, site_packages=Path(site_packages), version=version, library_folders=folders
    )


def keep_bytecode_apart(interpreter: Interpreter, folder: Path) -> None:
    """Lets the environment's Python write its bytecode below `folder`: a model repository is not ours to write to.

    By a .pth file, because the stubs run in isolated mode, in which no PYTHON* variable counts.
    """
    setting = interpreter.site_packages / "bytecode_apart.pth"
    line = f"import sys; sys.pycache_prefix = {str(folder)!a}\n"
    if not (setting.is_file() and setting.read_text() == line):
        partial = setting.with_suffix(f".{os.getpid()}")
        partial.write_text(line)
        partial.replace(setting)


def lay_out(environment_python: Path, destination: Path) -> None:
    """Makes destination/{bin,lib,backends/python,backends/onnxruntime,caches} from the environment's nvidia-pytriton.

    Does nothing when it stands already; parallel callers wait for one another; a half-made layout is never seen.
    Raises UsageError when the package is not installed, or has no stub for this version of Python.
    """
    interpreter = ask(environment_python)
    renew(destination, _digest(interpreter), lambda folder: _fill(folder, interpreter))


def renew(destination: Path, signature: str, fill: Callable[[Path], None]) -> None:
    """Makes a folder with `fill` beside `destination` and puts it there, unless one of this digest is there."""
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
    """Changes with the package, with the Python and with each of our backends' files."""
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
            f"Python is {interpreter.version} and this Triton has stubs for {known}: put one of these first on PATH "
            "as python3 and remove .venv-serving"
        )
    for part in ("bin", "backends", "caches"):
        shutil.copytree(source / part, folder / part, copy_function=link)
    shutil.copytree(interpreter.site_packages / "nvidia_pytriton.libs", folder / "lib", copy_function=link)
    for program, place in ((source / "bin/tritonserver", "bin"), (stub, "backends/python")):
        # A copy of its own, because installers differ in whether they keep the mode of a program.
        target = folder / place / program.name
        target.unlink(missing_ok=True)
        shutil.copyfile(program, target)
        target.chmod(0o755)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(OUR_BACKENDS, folder / "backends", ignore=ignore, dirs_exist_ok=True)
