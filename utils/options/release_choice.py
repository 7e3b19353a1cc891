"""Chooses the Triton release of a build: --release, or the newest that the GPU and its driver run."""

from collections.abc import Mapping
from dataclasses import dataclass

from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.host.progress import warn
from utils.targets import drivers, gpus
from utils.targets.releases import Release, default_release, find_release, with_opset
from utils.targets.runtimes import RUNTIMES


@dataclass(frozen=True, kw_only=True)
class InstalledGpu:
    """What nvidia-smi reports on this machine: the driver's version, and the lowest compute capability."""

    driver: str | None = None
    capability: str = ""


def needs_installed_gpu(values: Mapping[str, object]) -> bool:
    """Whether the GPU of this machine decides the release."""
    return values.get("device") == "gpu" and "release" not in values


def installed_gpu() -> InstalledGpu:
    """What nvidia-smi reports; empty without it."""
    return InstalledGpu(driver=drivers.installed_driver(), capability=gpus.installed_capability())


def choose_release(texts: Mapping[str, str], device: str, gpu: InstalledGpu) -> tuple[Release, str]:
    """The release with its opset, and the reason if a GPU or driver decided; --release wins over `gpu`."""
    named, driver, capability = (texts.get(name) for name in ("release", "driver", "compute_capability"))
    reason = ""
    if not RUNTIMES[device].needs_driver:
        for option, value in (("--driver", driver), ("--compute-capability", capability)):
            if value is not None:
                raise UsageError(f"{option} {value} chooses a release for a GPU; add --device gpu, or leave it out")
        release = find_release(named or default_release())
    else:
        release, reason = _release_for_gpu(named, driver, capability, gpu)
    if "opset" in texts:
        release = with_opset(release, whole_number("--opset", texts["opset"]))
    return release, reason


def warn_of_doubts(release: Release, device: str) -> None:
    """Warns of facts about the release that are not verified and that an image for `device` depends on."""
    if doubts := release.doubts(of_gpu=RUNTIMES[device].needs_driver):
        warn(f"Triton {release.name}: {'; '.join(doubts)}; see docs/releases.md")


def _release_for_gpu(
    named: str | None, driver: str | None, capability: str | None, gpu: InstalledGpu
) -> tuple[Release, str]:
    """--release checked against the GPU, or the release chosen for it."""
    capable = gpus.capable_releases(capability or ("" if named else gpu.capability))
    if named is not None:
        release = find_release(named)
        gpus.check_capability(capability, release)
        return release, drivers.check_driver(driver, release) if driver else ""
    driver = driver or gpu.driver
    if driver is not None:
        choice = drivers.choose_release(driver, capable)
        return choice.release, choice.reason
    reason = f"Triton {capable[-1].name} is the newest release that serves this GPU"
    return capable[-1], "" if capable[-1].name == default_release() else reason
