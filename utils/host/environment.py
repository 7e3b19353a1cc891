"""Creates the project's virtual environments on first use and runs modules in them.

Standard library only: it runs under the python3 on PATH, before anything is installed.
`python3 utils/launch.py utils.host.environment [--environment NAME] MODULE [ARG ...]` runs it in an environment.
"""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from utils import ROOT
from utils.host import base_python, children, entry, exceptions, lock
from utils.host.disk import free_bytes, gigabytes
from utils.host.environments import ENVIRONMENTS, FACTORY, Environment
from utils.host.errors import UsageError

# uv itself locks the file .lock of an environment, and would wait for this process.
LOCK = ".set-up.lock"


def ensure(environment: Environment) -> Path:
    """The environment's interpreter; sets the environment up if needed. Parallel callers wait for each other."""
    if environment.is_ready():
        return environment.python
    try:
        environment.folder.mkdir(parents=True, exist_ok=True)
        with lock.exclusive(environment.folder / LOCK):
            _update(environment)
    except OSError as error:
        reason = exceptions.machine_fault(error) or f"{error}; remove that folder and run the same command again"
        raise UsageError(f"the environment {str(environment.folder)!r} cannot be created: {reason}") from error
    return environment.python


def open_packages(environment: Environment) -> None:
    """Adds the environment's packages behind those of this process, on its path; sets it up if needed."""
    ensure(environment)
    sys.path.extend(str(folder) for folder in environment.site_packages if str(folder) not in sys.path)


def _update(environment: Environment) -> None:
    if environment.is_ready():
        return
    if environment.is_damaged() or not _can_be_updated(environment):
        # An installer takes the files of an interrupted one for installed packages: start from an empty folder.
        print(f"{environment.folder.name} is incomplete or its Python does not run: creating it again", file=sys.stderr)
        _clear(environment)
    if environment.base:
        _update(environment.base)
    _set_up(environment)


def _can_be_updated(environment: Environment) -> bool:
    """True for an empty folder, or one with a working Python and an installer: uv, or its own pip."""
    if not environment.python.parent.exists():
        return True
    return base_python.find(environment.folder) is not None and bool(_uv() or "pip" in environment.packages())


def _clear(environment: Environment) -> None:
    """Empties the folder except for the lock and the mark that it is incomplete."""
    kept = {LOCK, environment.incomplete_mark.name}
    found = sorted(environment.folder.iterdir(), key=lambda path: path.suffix != ".sha256")  # stamps first
    names = {path.name for path in found}
    if names - kept and not names & {"pyvenv.cfg", base_python.RECORD, environment.incomplete_mark.name}:
        raise UsageError(
            f"{str(environment.folder)!r} is not a virtual environment; rename it, then run the same command again"
        )
    environment.incomplete_mark.touch()
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in kept:
            path.unlink()


def _set_up(environment: Environment) -> None:
    print(
        f"setting up {environment.folder.name} for {environment.name} (first use, or the requirements changed) ...",
        file=sys.stderr,
    )
    environment.stamp.unlink(missing_ok=True)
    if not base_python.find(environment.folder):
        _clear(environment)
        _create(environment)
    environment.incomplete_mark.touch()
    if uv := _uv():  # it does not read PIP_FIND_LINKS
        links = [part for place in os.environ.get("PIP_FIND_LINKS", "").split() for part in ("--find-links", place)]
        install = [uv, "pip", "install", "--quiet", "--python", str(environment.python), *links]
    else:
        install = [str(environment.python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for path in environment.locks:
        _run([*install, "--require-hashes", "--no-deps", "-r", str(path)], environment)
    # Installs torch and, with a CUDA wheel, its libraries; all other packages are installed by now.
    files = [argument for path in environment.requirements for argument in ("-r", str(path))]
    _run([*install, *files] if environment.dependencies else [*install, "--no-deps", *files], environment)
    environment.contents.write_text("".join(f"{name}\n" for name in sorted(environment.packages())))
    environment.incomplete_mark.unlink()
    environment.stamp.write_text(environment.digest())


def _create(environment: Environment) -> None:
    """Creates an empty environment from the base Python, because the running one may be in this folder."""
    base = base_python.base_python()
    if uv := _uv():
        command = [uv, "venv", "--quiet", "--allow-existing", "--python", base, str(environment.folder)]
    else:
        command = [base, "-I", "-m", "venv", str(environment.folder)]
    _run(command, environment, "on Debian and Ubuntu: apt-get install python3-venv;")
    if not base_python.find(environment.folder):
        raise UsageError(
            f"{base} creates an environment whose Python does not run ({str(environment.python)!r}); put another "
            "python3 first on PATH, then run the same command again"
        )


def _uv() -> str | None:
    program = shutil.which("uv")
    return str(Path(program).absolute()) if program else None


def _run(command: list[str], environment: Environment, advice: str = "") -> None:
    done = subprocess.run(children.with_parent_death_signal(command), stdout=sys.stderr, check=False)
    if done.returncode != 0:
        # An installer that fails restores what it changed; a killed one does not.
        environment.incomplete_mark.unlink(missing_ok=True)
        raise UsageError(
            f"setting up the environment failed ({' '.join(command[:4])} ... exited with {done.returncode}); "
            f"see the lines above; {advice or 'check the package index and the disk space'} "
            f"({gigabytes(free_bytes(environment.folder))} free), then run the same command again"
        )


def main(arguments: list[str]) -> str:
    """Checks MODULE's arguments, sets the environment up if needed, and becomes MODULE in it."""
    environment = FACTORY
    if arguments[0] == "--environment":
        environment = ENVIRONMENTS[arguments[1]]
        arguments = arguments[2:]
    module, *rest = arguments
    if not environment.is_ready() and module.startswith("utils."):
        # An error on the command line is reported before the minute of installation.
        importlib.import_module(module).parse_arguments(rest)
    become(environment, module, rest)


def become(environment: Environment, module: str, arguments: list[str]) -> NoReturn:
    """Sets the environment up if needed; then this process runs `module` in it."""
    python = ensure(environment)
    os.execv(python, [str(python), str(ROOT / "utils" / "launch.py"), module, *arguments])


if __name__ == "__main__":
    # Not entry.run: exec replaces this process, which needs the real file descriptor 1.
    sys.exit(entry.exit_code(lambda: main(sys.argv[1:])))
