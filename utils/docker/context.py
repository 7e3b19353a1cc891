"""Completes a build tree as a Docker build context: Dockerfile, scripts and wheels."""

import os
import platform
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from deploy.supervisor.try_page import DATA
from utils import ROOT
from utils.docker import wheelhouse
from utils.host import source_date
from utils.repository.context import API_FILE, API_REQUIREMENTS, GOLDEN_FILE
from utils.repository.names import check_image
from utils.repository.version_files import place_again

# The files that the Dockerfile copies, with their modes: those of the checkout depend on the user's umask.
FILES = {
    "Dockerfile": 0o644,
    ".dockerignore": 0o644,
    "LICENSE": 0o644,
    "NOTICE": 0o644,
    "requirements-serving.txt": 0o644,
    "deploy/collect_runtime.sh": 0o755,
    "deploy/healthcheck.py": 0o644,
    "deploy/inventory.py": 0o644,
    "deploy/prune_packages.sh": 0o755,
    "deploy/selfcheck.py": 0o644,
    "deploy/serving_site.py": 0o644,
    "deploy/supervise.py": 0o644,
    **{path.relative_to(ROOT).as_posix(): 0o644 for path in sorted((ROOT / "deploy/supervisor").glob("*.py"))},
    "deploy/supervisor/bin/tritonserver": 0o755,
    **{path.relative_to(ROOT).as_posix(): 0o644 for path in sorted((ROOT / "deploy/try_page").iterdir())},
}
# What only some images have: code beside the supervisor's, and settings beside golden.json.
OPTIONAL_CODE, OPTIONAL_SETTINGS = "optional/code", "optional/settings"
WHEELHOUSE = "wheelhouse"
# Files of the model repository from this size in bytes on go into an image layer of their own.
WEIGHTS, LARGE = "weights", 1 << 16
SERVING_REQUIREMENTS = "requirements-serving.txt"


def write(tree: Path, docker: Mapping[str, str], requirements: Collection[Path] = (), *, refresh: bool = False) -> None:
    """Completes `tree` according to `docker`, a part of context.json; then `docker build TREE` works by hand as well.

    `docker` holds triton_image, slim_image, runtime, python and, if it is not this machine's, machine ("x86_64" or
    "aarch64"). `requirements` are those of Context; the image has the API process if its packages are among them.
    Raises ImageError when a wheel is not available; the rest of the tree is complete then.
    """
    write_context(tree, **{name: docker[name] for name in ("triton_image", "slim_image", "runtime")})
    _write_optional(tree, has_api=API_REQUIREMENTS in requirements)
    further = [ROOT / name for name in dict.fromkeys(requirements)]
    lines = wheelhouse.fill(
        tree / WHEELHOUSE,
        requirements=[ROOT / SERVING_REQUIREMENTS, *(path for path in further if path.is_file())],
        python=docker["python"],
        machine=docker.get("machine") or {"arm64": "aarch64"}.get(platform.machine(), platform.machine()),
        refresh=refresh,
    )
    (tree / SERVING_REQUIREMENTS).write_text(lines, encoding="utf-8")
    _set_times(tree)


def _write_optional(tree: Path, *, has_api: bool) -> None:
    """The optional parts of the image: the data of the try-it page, the API process and what it knows of the model."""
    shutil.rmtree(tree / "optional", ignore_errors=True)
    for name in (OPTIONAL_CODE, OPTIONAL_SETTINGS):
        (tree / name).mkdir(parents=True)
    if has_api:
        package = tree / OPTIONAL_CODE / "api"
        shutil.copytree(ROOT / "deploy/api", package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(tree / API_FILE, tree / OPTIONAL_SETTINGS / API_FILE)
    if (tree / DATA).exists():  # a build tree of an earlier version has none
        shutil.copyfile(tree / DATA, tree / OPTIONAL_SETTINGS / DATA)
    for path in (tree / "optional", *(tree / "optional").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _set_times(tree: Path) -> None:
    """Sets the times of the weights, which the Dockerfile does not: that would copy them once more.

    A file that is edited later has another time again. BuildKit relies on that: it transfers no file again whose size
    and time are those of the last build in this folder.
    """
    moment = source_date.of_files()
    for file in (path for path in (tree / WEIGHTS).rglob("*") if path.is_file()):
        for same in (file, tree / "model_repository" / file.relative_to(tree / WEIGHTS)):
            os.utime(same, (moment, moment))


def write_context(tree: Path, *, triton_image: str, slim_image: str, runtime: str) -> None:
    """Copies FILES into `tree` and sets the defaults of its Dockerfile's arguments."""
    for name, mode in FILES.items():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(ROOT / name, target)
        target.chmod(mode)
    for folder in {parent for name in FILES for parent in Path(name).parents if parent != Path()}:
        (tree / folder).chmod(0o755)
    if (tree / GOLDEN_FILE).exists():
        (tree / GOLDEN_FILE).chmod(0o644)  # the canary reads it as uid 1000
    _separate_weights(tree)
    text = (tree / "Dockerfile").read_text(encoding="utf-8")
    for name, value in build_args(triton_image=triton_image, slim_image=slim_image, runtime=runtime).items():
        text = re.sub(rf"(?m)^ARG {name}=.*$", f"ARG {name}={value}", text, count=1)
    (tree / "Dockerfile").write_text(text, encoding="utf-8")


def _separate_weights(tree: Path) -> None:
    """Links large files of the model repository below weights/ and excludes the originals by .dockerignore."""
    shutil.rmtree(tree / WEIGHTS, ignore_errors=True)
    (tree / WEIGHTS).mkdir()
    excluded = []
    repository = tree / "model_repository"
    for file in sorted(repository.rglob("*")):
        if file.is_file() and file.stat().st_size >= LARGE:
            target = tree / WEIGHTS / file.relative_to(repository)
            target.parent.mkdir(parents=True, exist_ok=True)
            place_again(file, target, tree / "artifacts")
            target.chmod(0o644)
            excluded.append(re.sub(r"([\\*?\[\]])", r"\\\1", file.relative_to(tree).as_posix()))
    for folder in [tree / WEIGHTS, *(path for path in (tree / WEIGHTS).rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
    with (tree / ".dockerignore").open("a", encoding="utf-8") as ignored:
        ignored.writelines(f"{line}\n" for line in excluded)


def build_args(*, triton_image: str, slim_image: str, runtime: str) -> dict[str, str]:
    """The Dockerfile's global ARGs. UsageError for an invalid image reference.

    The legacy builder builds the slim stage even for a full image, so SLIM_IMAGE then names the image that is present.
    """
    return {
        "TRITON_IMAGE": check_image("--base-image", triton_image),
        "SLIM_IMAGE": check_image("--slim-image", slim_image) if runtime == "slim" else triton_image,
        "RUNTIME": runtime,
        source_date.VARIABLE: str(source_date.of_files()),
    }
