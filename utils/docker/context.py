"""What a build tree needs beside its model repository to be a Docker build context: Dockerfile, scripts, wheels."""

import platform
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from utils import ROOT
from utils.docker import wheelhouse
from utils.repository.context import GOLDEN_FILE
from utils.repository.names import check_image
from utils.repository.version_files import place_again

# What the Dockerfile copies, and with which mode, whatever the umask of the one who checked the project out.
FILES = {
    "Dockerfile": 0o644,
    ".dockerignore": 0o644,
    "requirements-serving.txt": 0o644,
    "deploy/collect_runtime.sh": 0o755,
    "deploy/healthcheck.py": 0o644,
    "deploy/prune_packages.sh": 0o755,
    "deploy/selfcheck.py": 0o644,
    "deploy/serving_site.py": 0o644,
    "deploy/supervise.py": 0o644,
    **{path.relative_to(ROOT).as_posix(): 0o644 for path in sorted((ROOT / "deploy/supervisor").glob("*.py"))},
    "deploy/supervisor/bin/tritonserver": 0o755,
}
WHEELHOUSE = "wheelhouse"
# Files of the model repository from this size on are a layer of their own.
WEIGHTS, LARGE = "weights", 1 << 16
SERVING_REQUIREMENTS = "requirements-serving.txt"


def write(tree: Path, docker: Mapping[str, str], requirements: Collection[Path] = (), *, refresh: bool = False) -> None:
    """Completes `tree` for the `docker` part of its context.json; afterwards `docker build TREE` works by hand as well.

    `docker` holds triton_image, slim_image, runtime, python and, for another machine than this one, machine
    ("x86_64", "aarch64"). `requirements`: those of the steps' components (see Context).
    Raises ImageError when a wheel cannot be had; all else is in place then.
    """
    write_context(tree, **{name: docker[name] for name in ("triton_image", "slim_image", "runtime")})
    _add_requirements(tree / SERVING_REQUIREMENTS, requirements)
    wheelhouse.fill(
        tree / WHEELHOUSE,
        requirements=tree / SERVING_REQUIREMENTS,
        python=docker["python"],
        machine=docker.get("machine") or {"arm64": "aarch64"}.get(platform.machine(), platform.machine()),
        refresh=refresh,
    )


def _add_requirements(file: Path, requirements: Collection[Path]) -> None:
    """What only some components import is in their folders, so that other images stay small."""
    found = [ROOT / "model_repository" / name for name in dict.fromkeys(requirements)]
    texts = [path.read_text(encoding="utf-8") for path in found if path.is_file()]
    file.write_text("\n".join([file.read_text(encoding="utf-8"), *texts]), encoding="utf-8")


def write_context(tree: Path, *, triton_image: str, slim_image: str, runtime: str) -> None:
    """Copies FILES into `tree`; its Dockerfile gets this build's values as defaults."""
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
    _set_weights_apart(tree)
    text = (tree / "Dockerfile").read_text(encoding="utf-8")
    for name, value in build_args(triton_image=triton_image, slim_image=slim_image, runtime=runtime).items():
        text = re.sub(rf"(?m)^ARG {name}=.*$", f"ARG {name}={value}", text, count=1)
    (tree / "Dockerfile").write_text(text, encoding="utf-8")


def _set_weights_apart(tree: Path) -> None:
    """Large files of the model repository lie below weights/, too; docker leaves the first ones out."""
    shutil.rmtree(tree / WEIGHTS, ignore_errors=True)
    (tree / WEIGHTS).mkdir()
    left_out = []
    repository = tree / "model_repository"
    for file in sorted(repository.rglob("*")):
        if file.is_file() and file.stat().st_size >= LARGE:
            target = tree / WEIGHTS / file.relative_to(repository)
            target.parent.mkdir(parents=True, exist_ok=True)
            place_again(file, target, tree / "artifacts")
            target.chmod(0o644)
            left_out.append(re.sub(r"([\\*?\[\]])", r"\\\1", file.relative_to(tree).as_posix()))
    for folder in [tree / WEIGHTS, *(path for path in (tree / WEIGHTS).rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
    with (tree / ".dockerignore").open("a", encoding="utf-8") as ignored:
        ignored.writelines(f"{line}\n" for line in left_out)


def build_args(*, triton_image: str, slim_image: str, runtime: str) -> dict[str, str]:
    """The Dockerfile's global ARGs. UsageError for an image reference that is none.

    The legacy builder builds the slim stage even for a full image: it gets a base image that is there in any case.
    """
    return {
        "TRITON_IMAGE": check_image("--base-image", triton_image),
        "SLIM_IMAGE": check_image("--slim-image", slim_image) if runtime == "slim" else triton_image,
        "RUNTIME": runtime,
    }
