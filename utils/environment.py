"""Makes the project's own virtual environments on first use and runs modules in them.

Standard library only: it runs under whatever python3 is on PATH, before anything is installed.
`python3 -m utils.environment [--environment NAME] MODULE [ARG ...]` runs a module in one of ENVIRONMENTS.
"""

import fcntl
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from utils import ROOT, entry
from utils.errors import FactoryError, UsageError

OLDEST_PYTHON = (3, 10)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A folder and the requirement files installed in it, on top of what another one put there.

    `dependencies` False: the files are complete as they stand and are installed with --no-deps.
    """

    name: str
    folder: Path
    requirements: tuple[Path, ...]
    dependencies: bool = True
    base: "Environment | None" = None

    @property
    def python(self) -> Path:
        """The interpreter inside."""
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """Written last: without it, or with another digest in it, the environment is not ready."""
        return self.folder / f"{self.name}.sha256"

    def digest(self) -> str:
        """Changes whenever a requirement file or the interpreter's version does."""
        content = b"".join(path.read_bytes() for path in self.requirements)
        below = self.base.digest() if self.base else sys.version
        return hashlib.sha256(content + below.encode()).hexdigest()

    def is_ready(self) -> bool:
        """True when the last set-up of exactly these requirements ran to its end."""
        return self.stamp.is_file() and self.stamp.read_text() == self.digest() and self.python.exists()


FACTORY = Environment(name="factory", folder=ROOT / ".venv", requirements=(ROOT / "requirements.txt",))
SAMPLE = Environment(
    name="sample",
    folder=FACTORY.folder,
    requirements=(ROOT / "examples/requirements.txt",),
    dependencies=False,
    base=FACTORY,
)
DEV = Environment(
    name="dev",
    folder=FACTORY.folder,
    requirements=(ROOT / "requirements.txt", ROOT / "requirements-dev.txt"),
    base=SAMPLE,
)
SERVING = Environment(
    name="serving",
    folder=ROOT / ".venv-serving",
    requirements=(ROOT / "deploy/pypi_triton/requirements.txt",),
    dependencies=False,
)
ENVIRONMENTS = {environment.name: environment for environment in (FACTORY, SAMPLE, DEV, SERVING)}


def ensure(environment: Environment) -> Path:
    """The environment's interpreter, set up first if need be. Parallel callers wait for one another."""
    if environment.is_ready():
        return environment.python
    if sys.version_info < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        raise UsageError(f"python3 is {sys.version.split()[0]}; Python {needed} or newer is needed: put one on PATH")
    if environment.base:
        ensure(environment.base)
    environment.folder.mkdir(exist_ok=True)
    with (environment.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not environment.is_ready():
            _set_up(environment)
    return environment.python


def _set_up(environment: Environment) -> None:
    print(
        f"setting up {environment.folder.name} for {environment.name} (first use, or the requirements changed) ...",
        file=sys.stderr,
    )
    environment.stamp.unlink(missing_ok=True)
    files = [argument for path in environment.requirements for argument in ("-r", str(path))]
    options = files if environment.dependencies else ["--no-deps", *files]
    uv = shutil.which("uv")
    if uv:
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment.folder)])
        _run([uv, "pip", "install", "--quiet", "--python", str(environment.python), *_find_links(), *options])
    else:
        venv.create(environment.folder, with_pip=True)
        _run([str(environment.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options])
    environment.stamp.write_text(environment.digest())


def _find_links() -> list[str]:
    """Uv does not read pip's PIP_FIND_LINKS; where a site keeps a CPU wheel of torch, it matters."""
    return [argument for place in os.environ.get("PIP_FIND_LINKS", "").split() for argument in ("--find-links", place)]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise UsageError(
            f"setting up the environment failed ({' '.join(command[:4])} ... ended with {done.returncode}); "
            "see the lines above, check the package index, then run the same command again"
        )


def main(arguments: list[str]) -> str:
    """Makes the environment if need be and becomes MODULE inside it, its arguments checked first."""
    environment = FACTORY
    if arguments[0] == "--environment":
        environment = ENVIRONMENTS[arguments[1]]
        arguments = arguments[2:]
    module, *rest = arguments
    if not environment.is_ready() and module.startswith("utils."):
        # A mistake on the command line must not cost a first-time user the minute of an installation.
        importlib.import_module(module).parse_arguments(rest)
    python = ensure(environment)
    os.execv(python, [str(python), "-m", module, *rest])


if __name__ == "__main__":
    # exec replaces this process: file descriptor 1 must be the real one by then, so entry.run is not for here.
    try:
        main(sys.argv[1:])
    except FactoryError as error:
        entry.explain(error)
        sys.exit(error.exit_code)
