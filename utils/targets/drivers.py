"""Which Triton releases an NVIDIA driver can run: native, by minor-version compatibility, or by forward compatibility.

Source of the rule: NVIDIA's CUDA compatibility guide. A driver runs every CUDA of the major version it knows from
that major's lowest driver on; beyond, only data-center GPUs can, with the compatibility libraries in the image.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from utils.host.errors import UsageError
from utils.targets.gpus import nvidia_smi
from utils.targets.releases import Release, usable_releases

# CUDA major version -> the lowest driver branch that runs it by minor-version compatibility.
LOWEST_DRIVERS = {"12": 525, "13": 580}
# The lowest driver branch that data-center GPUs can run 24.01 with (release notes of 24.01).
LOWEST_FORWARD = 470
NATIVE, MINOR, FORWARD = "native", "minor-version compatible", "forward compatible"
# Releases that fixed vulnerabilities of the highest severity.
SECURITY_RELEASES = ("25.07", "25.08", "26.03", "26.06")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A release for a driver, and the sentence that says why."""

    release: Release
    reason: str


def parse_driver(text: str) -> tuple[int, ...]:
    """`535.104.05` as numbers; UsageError for what is no driver version."""
    if not re.fullmatch(r"[0-9]{3}(\.[0-9]{1,4}){0,2}", text):
        raise UsageError(f"--driver {text!r} is not a driver version; write it as nvidia-smi shows it, such as 535.104")
    return tuple(map(int, text.split(".")))


def compatibility(driver: tuple[int, ...], release: Release) -> str | None:
    """NATIVE, MINOR or FORWARD; None for a driver too old for any, or a release whose CUDA is not verified."""
    lowest = LOWEST_DRIVERS.get(release.cuda.split(".")[0])
    if lowest is None or driver[0] < LOWEST_FORWARD:
        return None
    if driver[0] < lowest:
        return FORWARD
    made_with = tuple(map(int, release.driver.split("."))) if release.driver else None
    return NATIVE if made_with and driver >= made_with else MINOR


def choose_release(text: str, among: Sequence[Release] = ()) -> Choice:
    """The newest release the driver runs on any GPU, of those `among` if given; UsageError when there is none."""
    driver = parse_driver(text)
    running = {
        release.name: how
        for release in among or usable_releases().values()
        if (how := compatibility(driver, release)) in (NATIVE, MINOR)
    }
    if not running:
        possible = list(among or usable_releases().values())
        majors = {release.cuda.split(".")[0] for release in possible}
        oldest = min(lowest for major, lowest in LOWEST_DRIVERS.items() if major in majors)
        every = len(possible) == len(usable_releases())
        wanting = "every release" if every else f"the releases that serve this GPU, {possible[0].name} and newer"
        raise UsageError(f"--driver {text} is too old for {wanting}; install {oldest} or newer")
    release = usable_releases()[max(running)]
    return Choice(release=release, reason=_reason(text, release, running))


def check_driver(text: str, release: Release) -> str:
    """Why the driver runs the release; UsageError when it does not."""
    how = compatibility(parse_driver(text), release)
    if how is None:
        raise UsageError(
            f"--driver {text} cannot run --release {release.name} (CUDA {release.cuda or 'not verified'}); "
            f"choose {choose_release(text).release.name}, or install a newer driver"
        )
    return _reason(text, release, {release.name: how})


def _reason(driver: str, release: Release, running: dict[str, str]) -> str:
    how = running[release.name]
    text = f"driver {driver}: Triton {release.name} (CUDA {release.cuda}, ONNX Runtime {release.onnxruntime}) is {how}"
    if how == FORWARD:
        text += ", which works on data-center GPUs only"
    native = max((name for name, each in running.items() if each == NATIVE), default=None)
    if how == MINOR and native:
        text += f"; the newest native one is {native}"
    lacking = [name for name in SECURITY_RELEASES if name > release.name]
    if lacking:
        text += f"; it lacks the security fixes of {', '.join(lacking)}, which need a newer driver"
    return text


def installed_driver() -> str | None:
    """The version nvidia-smi reports; None without nvidia-smi or a driver."""
    return next(iter(nvidia_smi("driver_version")), None)
