"""Stage 8: a build tree becomes a proven image. `python -m utils.image BUILD_TREE` runs it alone."""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from utils import docker_engine, entry, progress
from utils.docker_engine import Engine, untagged
from utils.environment import ROOT
from utils.errors import BootProofError, UsageError
from utils.names import check_image
from utils.runtimes import RUNTIMES
from utils.verify import ServerAddress

# What the Dockerfile copies, and with which mode, whatever the umask of the one who checked the project out.
CONTEXT_FILES = {
    "Dockerfile": 0o644,
    ".dockerignore": 0o644,
    "requirements-serving.txt": 0o644,
    "deploy/collect_runtime.sh": 0o755,
    "deploy/healthcheck.py": 0o644,
    "deploy/serving_site.py": 0o644,
}
LOG_LINES = 40


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """What context.json says on the image; `runtime` is the Dockerfile's: slim or full."""

    image: str
    model_name: str
    triton_image: str
    slim_image: str
    runtime: str
    labels: Mapping[str, str]

    @property
    def run_options(self) -> tuple[str, ...]:
        """What `docker run` needs for this runtime (a GPU)."""
        return next((each.run_options for each in RUNTIMES.values() if each.stage == self.runtime), ())


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line."""

    tree: Path
    no_cache: bool
    verify: bool
    image: str


def write_context(tree: Path, *, triton_image: str, slim_image: str, runtime: str) -> None:
    """Puts into `tree` what the build needs beside the model repository and the wheelhouse.

    The Dockerfile gets this build's values as defaults, so that `docker build TREE` works as it stands.
    """
    values = {
        "TRITON_IMAGE": check_image("--base-image", triton_image),
        "SLIM_IMAGE": check_image("--slim-image", slim_image),
        "RUNTIME": runtime,
    }
    for name, mode in CONTEXT_FILES.items():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(ROOT / name, target)
        target.chmod(mode)
    (tree / "deploy").chmod(0o755)
    text = (tree / "Dockerfile").read_text(encoding="utf-8")
    for name, value in values.items():
        text = re.sub(rf"(?m)^ARG {name}=.*$", f"ARG {name}={value}", text, count=1)
    (tree / "Dockerfile").write_text(text, encoding="utf-8")


def read_plan(tree: Path) -> ImagePlan:
    """The plan in the tree's context.json. Raises UsageError when `tree` is not a whole build tree."""
    needed = ["context.json", "model_repository", "wheelhouse", *CONTEXT_FILES]
    missing = [name for name in needed if not (tree / name).exists()]
    if missing:
        raise UsageError(
            f"BUILD_TREE {str(tree)!r} lacks {', '.join(missing)}; give build/<name>/<tag> of a finished build"
        )
    try:
        content = json.loads((tree / "context.json").read_text(encoding="utf-8"))
        docker = content["docker"]
        model_name = content.get("model_name") or content["pipeline"]["model_name"]
        return ImagePlan(
            image=check_image("image", content["image"]),
            model_name=model_name,
            triton_image=check_image("triton_image", docker["triton_image"]),
            slim_image=check_image("slim_image", docker["slim_image"]),
            runtime=docker["runtime"],
            labels=content["oci_labels"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"context.json of {str(tree)!r} is not of this project's form ({error!r}); build it anew"
        ) from error


def build_and_prove(  # noqa: PLR0913
    tree: Path,
    *,
    engine: Engine,
    prove: Callable[[ServerAddress], None],
    no_cache: bool,
    verify: bool,
    reference: str = "",
) -> str:
    """Builds, proves in a container, and only then tags (`reference`, else the plan's image). The image's id.

    Raises ImageError, or BootProofError; the new image is gone then and a former one keeps the tag.
    """
    plan = read_plan(tree)
    engine.pull_if_missing(plan.triton_image)
    if plan.runtime == "slim" or engine.builds_every_stage:
        engine.pull_if_missing(plan.slim_image)
    build_args = {"TRITON_IMAGE": plan.triton_image, "SLIM_IMAGE": plan.slim_image, "RUNTIME": plan.runtime}
    with progress.stage("docker build"):
        image_id = engine.build(tree, build_args=build_args, labels=plan.labels, no_cache=no_cache)
    progress.note(f"{engine.image_size(image_id) / 1e6:.0f} MB")
    with untagged(engine, image_id):
        if verify:
            _prove(engine, image_id, plan, prove)
        engine.tag(image_id, reference or plan.image)
    return image_id


def _prove(engine: Engine, image_id: str, plan: ImagePlan, prove: Callable[[ServerAddress], None]) -> None:
    with progress.stage("boot proof"), engine.run(image_id, options=plan.run_options) as container:
        try:
            prove(container.address)
        except BootProofError:
            lines = container.log_text().splitlines()[-LOG_LINES:]
            print("the server's log ends with:", *lines, sep="\n  ", file=sys.stderr)
            raise


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see python -m utils.image --help")


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options; UsageError for anything wrong in them."""
    parser = _Parser(
        prog="python -m utils.image",
        description="Builds the image of a finished build tree, proves it in a container and prints its name.",
        epilog="example: python -m utils.image build/ensemble_model/latest --image registry.example.org/topics:v2",
        allow_abbrev=False,
    )
    parser.add_argument("tree", metavar="BUILD_TREE", type=Path, help="a build tree: build/<name>/<tag>")
    parser.add_argument("--no-cache", action="store_true", help="build every layer anew")
    parser.add_argument("--no-verify", action="store_true", help="do not start the image to prove it")
    parser.add_argument("--image", metavar="REFERENCE", default="", help="the name to give it (default: the tree's)")
    parsed = parser.parse_args(arguments)
    image = check_image("--image", parsed.image) if parsed.image else ""
    return Options(tree=parsed.tree.resolve(), no_cache=parsed.no_cache, verify=not parsed.no_verify, image=image)


def run(options: Options) -> str:
    """The whole stage; the image reference."""
    plan = read_plan(options.tree)

    def prove(address: ServerAddress) -> None:
        from utils import verify

        verify.prove(address, options.tree / "golden.json", plan.model_name)  # type: ignore[attr-defined, unused-ignore]

    engine = docker_engine.connect()
    build_and_prove(
        options.tree,
        engine=engine,
        prove=prove,
        no_cache=options.no_cache,
        verify=options.verify,
        reference=options.image,
    )
    return options.image or plan.image


if __name__ == "__main__":
    entry.run(lambda: run(parse_arguments(sys.argv[1:])))
