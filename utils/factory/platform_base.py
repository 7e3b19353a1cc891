"""A base image for a platform: the engine has one image under a tag, a registry one for each platform."""

import dataclasses
from typing import TYPE_CHECKING

from utils.host.errors import ImageError, ReleaseError
from utils.registry.reference import DOCKER_HUB, parse_reference

if TYPE_CHECKING:
    from utils.docker.engine import Engine


def pulled(engine: "Engine", image: str, platform: str) -> str:
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


def _of_platform(engine: "Engine", image: str, platform: str) -> str:
    from utils.registry.registry import INDEXES, Registry

    reference = parse_reference(image)
    reference = reference if reference.host else dataclasses.replace(reference, host=DOCKER_HUB)
    try:
        registry = Registry(reference, insecure=engine.is_insecure(reference.host))
        manifest = registry.manifest(reference.digest or reference.tag or "latest")
    except ReleaseError as error:
        raise ImageError(f"base image {image} cannot be found for {platform}: {error}") from error
    listed = manifest.fields.get("manifests", ()) if manifest.media_type in INDEXES else ()
    platforms = {_name(each.get("platform", {})): each["digest"] for each in reversed(listed)}
    if platform not in platforms:
        has = ", ".join(sorted(platforms)) or "one image only"
        raise ImageError(
            f"base image {image} has no variant for {platform} (the registry has {has}); choose another with "
            "--base-image or --slim-image, or leave this platform out"
        )
    return str(reference.by_digest(platforms[platform]))


def _name(platform: dict[str, str]) -> str:
    return f"{platform.get('os')}/{platform.get('architecture')}"
