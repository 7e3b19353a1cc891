"""The project's virtual environments: folder, requirements, and whether each is complete."""

from dataclasses import dataclass, replace
from pathlib import Path

from utils import ROOT
from utils.host import base_python, digest, installed

PLACE = installed.environments_folder()


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A folder and the requirement files installed in it, on top of those of `base`.

    `dependencies` False: the files list all packages and are installed with --no-deps.
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
    def locks(self) -> tuple[Path, ...]:
        """Files beside those of requirements, written by .ci/lock: packages with hashes, torch left out."""
        return tuple(lock for lock in (path.with_suffix(".lock") for path in self.requirements) if lock.is_file())

    @property
    def stamp(self) -> Path:
        """Written last: without it, or with another digest, the environment is not ready."""
        return self.folder / f"{self.name}.sha256"

    @property
    def contents(self) -> Path:
        """The names in site-packages at the end of the set-up, to detect lost ones later."""
        return self.folder / f"{self.name}.contents"

    @property
    def incomplete_mark(self) -> Path:
        """Exists while a set-up runs, and after a killed one."""
        return self.folder / ".half-made"

    def digest(self) -> str:
        """Changes with each requirement file and with the Python the environment was created with."""
        content = b"".join(path.read_bytes() for path in self.requirements)
        if self.base:
            below = self.base.digest()
        else:
            python = base_python.find(self.folder)
            below = python.version if python else ""
        return digest.of_bytes(content + below.encode())

    def is_ready(self) -> bool:
        """True when the last set-up was of these requirements and completed, whichever `python3` is on PATH."""
        return self.stamp.is_file() and not self.is_damaged() and self.stamp.read_text() == self.digest()

    def is_damaged(self) -> bool:
        """True when it must be created again: the set-up was killed, its Python does not run, or packages are lost."""
        if self.incomplete_mark.exists():
            return True
        if not self.stamp.exists():
            return False  # not set up yet
        known = self.contents.read_text().splitlines() if self.contents.is_file() else []
        return bool(set(known) - self.packages()) or not base_python.find(self.folder)

    @property
    def site_packages(self) -> list[Path]:
        """The folder of installed packages; none before the set-up."""
        return list(self.folder.glob("lib/python*/site-packages"))

    def packages(self) -> set[str]:
        """The top-level names in site-packages, without versions."""
        found = [path for folder in self.site_packages for path in folder.iterdir()]
        return {path.name for path in found if path.suffix not in (".dist-info", ".egg-info", ".pth")} - {"__pycache__"}


def _environment(
    name: str,
    *requirements: str,
    folder: Path | None = None,
    dependencies: bool = True,
    base: Environment | None = None,
) -> Environment:
    """The environment of these files (default: requirements/NAME.txt), in .venv-NAME unless another has its folder."""
    return Environment(
        name=name,
        folder=folder or PLACE / f".venv-{name}",
        requirements=tuple(ROOT / file for file in requirements or (f"requirements/{name}.txt",)),
        dependencies=dependencies,
        base=base,
    )


FACTORY = _environment("factory", "requirements.txt", folder=PLACE / ".venv")
SAMPLE = _environment("sample", "examples/requirements.txt", folder=FACTORY.folder, dependencies=False, base=FACTORY)
DEV = _environment("dev", "requirements.txt", "requirements-dev.txt", folder=FACTORY.folder, base=SAMPLE)
SERVING = _environment("serving", "deploy/pypi_triton/requirements.txt", dependencies=False)
# TorchScript needs torch, a gigabyte that other repositories do not need. Its dependencies differ between the CPU wheel
# and the others.
SERVING_TORCH = _environment(
    "serving-torch",
    "deploy/pypi_triton/requirements-torch.txt",
    base=replace(SERVING, folder=PLACE / ".venv-serving-torch"),
)
TENSORFLOW = _environment("tensorflow")
# Only what differs from the factory environment, which provides torch.
TRANSFORMERS5 = _environment("transformers5")
# The reference for embeddings and ranking models. It has no torch and no transformers of its own: a process of the
# factory environment adds these packages to its own.
SENTENCES = _environment("sentence-transformers", dependencies=False)
# Version 6 of it needs transformers 5.
SENTENCES6 = _environment("sentence-transformers6", folder=TRANSFORMERS5.folder, dependencies=False, base=TRANSFORMERS5)
# What merges an adapter into its base model, without torch and transformers as above.
PEFT = _environment("peft", dependencies=False)
# The reference for SetFit: its packages are added behind those of sentence-transformers.
SETFIT = _environment("setfit", dependencies=False)
# The clients of storages, made when the first reference of the scheme is read.
MLFLOW = _environment("mlflow")
WANDB = _environment("wandb")
GCS = _environment("gcs")
AZURE = _environment("azure")
# The API process of `serve.sh --api`, and its packages in the image.
API = _environment("api", "requirements/api.txt", "requirements-serving.txt", dependencies=False)
# For tests only.
MLFLOW_SERVER = _environment(
    "mlflow-server", dependencies=False, base=replace(MLFLOW, folder=PLACE / ".venv-mlflow-server")
)
GCS_EMULATOR = _environment("gcs-emulator")
COVERAGE = _environment("coverage")
DOCS = _environment("docs")
ENVIRONMENTS = {each.name: each for each in list(globals().values()) if isinstance(each, Environment)}
