"""The base images of a build, pulled and inspected before anything slow runs."""

import dataclasses
from platform import machine as this_machine

from utils.docker.engine import Engine
from utils.host.errors import ImageError, ReleaseError
from utils.host.progress import note, warn
from utils.registry.reference import DOCKER_HUB, parse_reference
from utils.targets.formats import FORMATS
from utils.targets.releases import SECURITY_FLOOR, require_supported, slim_image_of
from utils.targets.runtimes import RUNTIMES
from utils.targets.target import Target


def docker_plan(target: Target, engine: Engine | None, platform: str = "") -> dict[str, str]:
    """The `docker` part of context.json: triton_image, slim_image, runtime; python and machine, for the wheels.

    triton_digest and slim_digest are those of the images in their registries, if they come from one.

    With an engine the images are pulled, so that a missing one is reported early, and their Python and release are
    read. Without an engine the values come from the release table. With a `platform` ("linux/arm64") the images are
    those for it, and the plan has it. Warns of an old release.
    """
    plan = {
        "triton_image": target.triton_image,
        "slim_image": target.slim_image or target.release.slim_image,
        "runtime": FORMATS[target.form.format].stage or RUNTIMES[target.device].stage,
        "python": target.release.python,
        "machine": this_machine(),
        **({"platform": platform} if platform else {}),
    }
    if engine is None:
        warn_of_old_release(target.release.name)
        return plan
    triton_image = plan["triton_image"] = pulled(engine, target.triton_image, platform)
    _check_release(target, engine, triton_image)
    plan["python"] = engine.python_version(triton_image)
    plan["machine"] = engine.machine(triton_image)
    if FORMATS[target.form.format].stage:
        engine.require_backend(triton_image, FORMATS[target.form.format].backend)
    if plan["runtime"] == "slim":
        plan.update(_slim_base(target, engine, triton_image, platform))
    plan.update(_digests(plan, engine))
    note(f"base images: {plan['triton_image']} (Python {plan['python']}), runtime {plan['runtime']}")
    return plan


def _digests(plan: dict[str, str], engine: Engine) -> dict[str, str]:
    """triton_digest and slim_digest, of images that a registry has."""
    names = ["triton", *(["slim"] if plan["runtime"] == "slim" else [])]
    found = {f"{name}_digest": engine.digest(plan[f"{name}_image"]) for name in names}
    return {name: digest for name, digest in found.items() if digest}


def _check_release(target: Target, engine: Engine, image: str) -> None:
    """Warns if the base image is an old release, or older than the release that the model is converted for."""
    release = target.release.name
    found = engine.triton_release(image) or release
    require_supported(f"--base-image {image} (Triton {found})", found)
    warn_of_old_release(found)
    if found < release:
        warn(
            f"base image {image} is Triton {found}, but the model is converted for {release} and may not load; "
            f"use --release {found}, or a base image of {release}"
        )


def _slim_base(target: Target, engine: Engine, triton_image: str, platform: str) -> dict[str, str]:
    """The slim base; runtime "full" if a --base-image is of a distribution whose slim image cannot be pulled."""
    if target.slim_image or not target.base_image:
        slim = target.slim_image or target.release.slim_image
        return {"slim_image": pulled(engine, slim, platform)}
    name, number = engine.os_release(triton_image)
    slim = slim_image_of(name, number) or target.release.slim_image
    try:
        return {"slim_image": pulled(engine, slim, platform)}
    except ImageError as error:
        warn(f"{error}; building on the full image {target.base_image} instead, which is larger")
        return {"runtime": "full"}


def warn_of_old_release(name: str) -> None:
    """Warns if the release ("YY.MM") lacks published security fixes."""
    if name < SECURITY_FLOOR:
        warn(
            f"Triton {name} lacks security fixes of {SECURITY_FLOOR} (bulletins up to August 2026); "
            f"build with --release {SECURITY_FLOOR} or newer unless the GPU's driver forbids it"
        )


def pulled(engine: Engine, image: str, platform: str) -> str:
    """The reference of `image` on the engine, after a pull if it was missing; ImageError if that is not possible.

    For a `platform` that is neither the engine's nor that of the image it has, the reference is a digest from the
    registry: the image under the tag on the engine stays what it is.
    """
    if not platform or engine.platform(image) == platform:
        engine.pull_if_missing(image)
        return image
    if not engine.has(image) and engine.native_platform() == platform:
        engine.pull_if_missing(image)
        return image
    found = _of_platform(engine, image, platform)
    if not engine.has(found):
        engine.pull_platform(found, platform)
    return found


def _of_platform(engine: Engine, image: str, platform: str) -> str:
    from utils.registry.registry import INDEXES, Registry

    reference = parse_reference(image)
    reference = reference if reference.host else dataclasses.replace(reference, host=DOCKER_HUB)
    try:
        registry = Registry(reference, insecure=engine.is_insecure(reference.host))
        manifest = registry.manifest(reference.digest or reference.tag or "latest")
    except ReleaseError as error:
        raise ImageError(f"base image {image} cannot be found for {platform}: {error}") from error
    listed = manifest.fields.get("manifests", ()) if manifest.media_type in INDEXES else ()
    named = [(each.get("platform", {}), each["digest"]) for each in reversed(listed)]
    platforms = {f"{target.get('os')}/{target.get('architecture')}": digest for target, digest in named}
    if platform not in platforms:
        has = ", ".join(sorted(platforms)) or "one image only"
        raise ImageError(
            f"base image {image} has no variant for {platform} (the registry has {has}); choose another with "
            "--base-image or --slim-image, or leave this platform out"
        )
    return str(reference.by_digest(platforms[platform]))
