"""The GPUs a model runs on: their numbers in its config, and which releases serve their compute capability."""

import re
import shutil
import subprocess

from utils.host.errors import UsageError
from utils.targets.releases import Release, usable_releases
from utils.targets.runtimes import RUNTIMES

# The release that first served GPUs of a compute capability from this one up. Source: NVIDIA's release notes of
# 25.01, the first with support of Blackwell; each older one serves those before (column min_cc gives the lowest).
FIRST_RELEASES = {(10, 0): "25.01"}


def parse_gpus(text: str | None, device: str) -> tuple[int, ...]:
    """--gpus: `all`, which is (), or numbers such as `0,1`. UsageError for anything else, and without a GPU."""
    if text is None:
        return ()
    if not RUNTIMES[device].needs_driver:
        raise UsageError(f"--gpus {text} is for models on GPUs; add --device gpu, or leave it out")
    if text == "all":
        return ()
    numbers = text.split(",")
    if not all(re.fullmatch(r"[0-9]{1,3}", each) for each in numbers) or len(set(numbers)) < len(numbers):
        raise UsageError(f"--gpus is {text!r}; it is all, or numbers as nvidia-smi shows them, each once, such as 0,1")
    return tuple(map(int, numbers))


def parse_capability(text: str) -> tuple[int, int]:
    """`8.6` as numbers; UsageError for what is no compute capability."""
    if not re.fullmatch(r"[0-9]{1,2}\.[0-9]", text):
        raise UsageError(
            f"--compute-capability {text!r} is none; write it as `nvidia-smi --query-gpu=compute_cap` shows it, as 8.6"
        )
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def serves(release: Release, capability: tuple[int, int]) -> bool:
    """False when the release is known not to serve such a GPU.

    Where its row says nothing, the last row before it does: the lowest capability only ever rises.
    """
    rows = [each for each in usable_releases().values() if each.name <= release.name and each.min_compute_capability]
    lowest = parse_capability(rows[-1].min_compute_capability) if rows else (0, 0)
    too_old = any(capability >= first and release.name < name for first, name in FIRST_RELEASES.items())
    return lowest <= capability and not too_old


def capable_releases(text: str) -> tuple[Release, ...]:
    """The releases that serve a GPU of this compute capability, oldest first; all of them for "".

    UsageError when there is none.
    """
    releases = tuple(usable_releases().values())
    if not text:
        return releases
    capability = parse_capability(text)
    found = tuple(release for release in releases if serves(release, capability))
    if not found:
        raise UsageError(
            f"--compute-capability {text} is below what any release serves ({releases[0].min_compute_capability}); "
            "use --device cpu, or another GPU"
        )
    return found


def check_capability(text: str | None, release: Release) -> None:
    """UsageError when the release does not serve GPUs of this compute capability, naming those that do."""
    if not text or serves(release, parse_capability(text)):
        return
    capable = capable_releases(text)
    raise UsageError(
        f"--release {release.name} does not serve GPUs of compute capability {text}; choose one from {capable[0].name} "
        f"to {capable[-1].name}, or --device cpu"
    )


def installed_capability() -> str:
    """The lowest compute capability that nvidia-smi reports; "" where it reports none."""
    found = [each for each in nvidia_smi("compute_cap") if re.fullmatch(r"[0-9]{1,2}\.[0-9]", each)]
    return min(found, key=parse_capability, default="")


def nvidia_smi(field: str) -> list[str]:
    """The values of a `--query-gpu` field, one per GPU; empty without nvidia-smi, a driver or a reply in 10 s."""
    program = shutil.which("nvidia-smi")
    if not program:
        return []
    command = [program, f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split() if done.returncode == 0 else []
