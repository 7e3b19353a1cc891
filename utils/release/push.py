"""Pushes a proven image. Its tag is set last, so that the tag never names what is not proven, checked and complete."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from utils.host.errors import ReleaseError
from utils.registry.registry import Manifest, Registry, image_index

if TYPE_CHECKING:
    from utils.docker.engine import Engine

MOVING_TAG = "latest"


def require_free_tag(registry: Registry, *, move: bool) -> None:
    """ReleaseError if the registry has the tag already: checked before anything slow runs."""
    if not _may_move(registry, move) and (found := registry.find(registry.reference.tag)):
        raise _taken(registry, found)


def push_image(engine: "Engine", image_id: str, registry: Registry, *, seconds: float) -> Manifest:
    """Pushes exactly the image `image_id`; returns its manifest, read back from the registry.

    The engine can push tags only. The tag is `image-` and the start of the image's id: it is no release, and it stays
    in the registry, because not every registry removes a tag without its image.
    """
    tag = f"image-{image_id.removeprefix('sha256:')[:12]}"
    pushed = engine.push(image_id, str(registry.reference.by_tag(tag)), seconds=seconds)
    manifest = registry.manifest(pushed)
    # An engine with containerd's image store identifies images by their manifests.
    if image_id not in (manifest.digest, manifest.fields.get("config", {}).get("digest")):
        raise ReleaseError(
            f"{registry.reference.by_digest(pushed)} is not the proven image {image_id}; "
            "check what else pushes to this repository, then push again"
        )
    return manifest


def put_index(registry: Registry, manifests: Mapping[str, Manifest]) -> Manifest:
    """The manifest of one platform itself; for several, the index that lists them, stored without a tag."""
    if len(manifests) == 1:
        return next(iter(manifests.values()))
    entries = []
    for platform, manifest in sorted(manifests.items()):
        system, architecture = platform.split("/")
        entries.append({**manifest.descriptor, "platform": {"architecture": architecture, "os": system}})
    return registry.put_manifest(image_index(entries))


def set_tag(registry: Registry, manifest: Manifest, *, move: bool) -> None:
    """Points the tag to a manifest that is in the registry: the end of a push. ReleaseError if the tag has another."""
    tag = registry.reference.tag
    found = registry.find(tag)
    if found and found.digest == manifest.digest:
        return
    if found and not _may_move(registry, move):
        raise _taken(registry, found)
    registry.put_manifest(manifest.content, tag)
    if (now := registry.manifest(tag).digest) != manifest.digest:
        raise ReleaseError(
            f"{registry.reference} was set to {manifest.digest}, but the registry answers {now}; "
            "check what else pushes this tag, then push again"
        )


def _may_move(registry: Registry, move: bool) -> bool:
    return move or registry.reference.tag == MOVING_TAG


def _taken(registry: Registry, found: Manifest) -> ReleaseError:
    return ReleaseError(
        f"{registry.reference} is in the registry already, with the digest {found.digest}; "
        "a released tag keeps its content: choose another TAG, or add --move-tag"
    )
