"""The files below deploy/ of a build tree with which its image runs: Compose, Kubernetes, KServe, KEDA.

They depend on the build only, so the same build gives the same bytes. docs/deploy.md says how to use them.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.supervisor.settings import Settings
from utils import ROOT
from utils.host import digest
from utils.proof import measured
from utils.repository.accelerators import ENGINES_FOLDER
from utils.repository.context import Context
from utils.repository.render import render
from utils.targets.runtimes import RUNTIMES

TEMPLATES = ROOT / "deploy/templates"
FOLDERS = ("kubernetes", "kserve", "keda")
FILES = ("compose.yaml", ".env")
SUFFIX = ".template"
MIB = 1 << 20
# Names of architectures in Kubernetes by those of wheels.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# KServe adds "-predictor" and Knative a revision to a name, which may have 63 characters (RFC 1123).
LONGEST_NAME = 40
LONGEST_LABEL = 63
# Docker's default, in MiB.
SHARED_MEMORY = 64
TEMPORARY_FILES = 64
# Triton answers eight requests at once; each may bring TRITON_MAX_INPUT_BYTES.
BODIES = 8
# The values that are the same for every build.
FIXED = {
    # The figures of docs/performance.md were measured on as many. ONNX Runtime starts one thread for each.
    "cpus": 2,
    "replicas": (2, 10),
    "drain_seconds": int(Settings.drain_seconds),
    "start_seconds": int(Settings.start_seconds),
    "pre_stop_seconds": 5,
    # From the end of the drain to the end of the processes; measured are 2 s (docs/operations.md).
    "exit_seconds": 5,
    "shared_memory": SHARED_MEMORY,
    "temporary_files": TEMPORARY_FILES,
    # Where kube-prometheus and its Helm chart are usually installed.
    "monitoring_namespace": "monitoring",
}


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a container reserves and what it may use, in MiB."""

    request: int
    limit: int


def write_manifests(tree: Path, context: Context, reference: str, architectures: Sequence[str] = ()) -> None:
    """Writes `tree`/deploy/: compose.yaml, .env, kubernetes/, kserve/ and keda/, in place of earlier ones.

    `reference` is the image: by digest if it was pushed, else by tag. `architectures` are Docker's names of those it
    is for; by default the one of the base image. RenderError for a template that cannot be rendered.
    """
    values = {**FIXED, **_of_build(context), "reference": reference, "memory": _memory(tree)}
    if architectures:
        values["architectures"] = tuple(architectures)
    for folder in FOLDERS:
        shutil.rmtree(tree / "deploy" / folder, ignore_errors=True)
    names = [f"{name}{SUFFIX}" for name in FILES]
    names += [path.relative_to(TEMPLATES).as_posix() for name in FOLDERS for path in (TEMPLATES / name).iterdir()]
    for name in names:
        file = tree / "deploy" / name.removesuffix(SUFFIX)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(TEMPLATES, name, **values), encoding="utf-8")


def _of_build(context: Context) -> dict[str, object]:
    machine = context.docker.get("machine", "x86_64")
    used = [number for step in context.pipeline.steps for number in step.gpus]
    return {
        "name": kubernetes_name(context.pipeline.model_name),
        "version": label_value(context.image.rpartition(":")[2]),
        "architectures": (ARCHITECTURES[machine],),
        "gpus": max(used, default=0) + 1 if RUNTIMES[context.device].needs_driver else 0,
        "engines": ENGINES_FOLDER if context.pipeline.builds_engines else "",
        # As many requests wait as fit into one run: a new request waits for the end of one run, and takes part in the
        # next (docs/deploy.md has the measurement).
        "waiting": max(context.pipeline.max_batch_size, 1),
        "api_port": Settings.api_port if context.api else 0,
    }


def _memory(tree: Path) -> Memory | None:
    """From the peak that the boot proof measured, of several platforms the first one's; None if it is not known.

    The request is the peak, rounded up to 64 MiB. The limit is twice the peak, because the fused layout loads its
    weights twice only if both copies fit into half of the limit (docs/operations.md#memory), plus the bodies of the
    requests that are read at once, plus the volumes in memory.
    """
    peak = measured.read(tree).peak_memory_bytes
    if not peak:
        return None
    beside = BODIES * Settings.max_input_bytes // MIB + SHARED_MEMORY + TEMPORARY_FILES
    return Memory(request=_rounded_up(peak), limit=_rounded_up(2 * peak) + beside)


def _rounded_up(size: int) -> int:
    """`size` bytes in MiB, a multiple of 64."""
    return -(-size // (64 * MIB)) * 64


def kubernetes_name(model_name: str) -> str:
    """A model name as a DNS label (RFC 1035, which names of services follow): a-z, 0-9, "-"; a letter first.

    Names that differ only in "." and "_" become equal; a name that is too long ends with a part of its digest.
    """
    name = re.sub(r"[^a-z0-9]", "-", model_name)
    name = name if name[0].isalpha() else f"model-{name}"
    if len(name) > LONGEST_NAME:
        return f"{name[: LONGEST_NAME - 9].rstrip('-')}-{digest.of_text(model_name)[:8]}"
    return name


def label_value(tag: str) -> str:
    """A tag as the value of a label: at most 63 of A-Z a-z 0-9 - _ . with a letter or digit at both ends."""
    return tag.strip("-_.")[:LONGEST_LABEL].strip("-_.")
