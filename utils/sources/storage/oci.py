"""oci: a model artifact in a registry, `registry/name:tag` or `registry/name@sha256:...`.

It is read as ModelPack (CNCF model-spec), KitOps (ModelKit), `oras push` and KServe (an image with /models) push it.
Credentials are those of `docker login`. A registry on this machine may be without TLS.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from utils.host.errors import ReleaseError, SourceError
from utils.registry.registry import INDEXES, Registry
from utils.sources.storage import matches
from utils.sources.storage.archive import held_below
from utils.sources.storage.oci_layers import Layer, in_tar, layers_of, take

# A name without a registry would be Docker Hub's for docker and nothing for other clients.
_LOCATOR = re.compile(
    r"(?P<repository>(\[[0-9a-f:]+\]|localhost|[\w-]+(\.[\w-]+)+|[\w-]+(?=:))(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+)"
    r"((:(?P<tag>\w[\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?)",
    re.ASCII,
)


def resolve(locator: str) -> str:
    """The digest of the manifest that the reference names now. A manifest has a few kilobytes; no layer is read."""
    repository, revision = _split(locator)
    with _explained(locator):
        return Registry(repository).manifest(revision).digest


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """The files of the artifact that match, below `destination`. Layers are downloaded once, and only when needed."""
    repository, _ = _split(locator)
    files, blobs = destination / "files", destination / "layers"
    blobs.mkdir(parents=True, exist_ok=True)
    with _explained(locator):
        registry = Registry(repository)
        layers = layers_of(_manifest(registry, revision, locator), locator)
        origins = _origins(registry, layers, patterns, blobs, locator)
        if not origins:
            where = " is an image without /models" if layers[0].below else " has no files"
            raise SourceError(f"oci:{locator}{where}; push the folder of a model")
        root = held_below(origins, f"oci:{locator}")
        for layer in dict.fromkeys(origins.values()):
            inside = {name: name.removeprefix(root) for name, origin in origins.items() if origin == layer}
            destinations = {
                name: files / shown
                for name, shown in inside.items()
                if name.startswith(root) and matches(shown, patterns)
            }
            if destinations:
                take(_blob(registry, layer, blobs), layer, destinations, locator)
    files.mkdir(exist_ok=True)
    return files


def _origins(
    registry: Registry, layers: list[Layer], patterns: tuple[str, ...], blobs: Path, locator: str
) -> dict[str, Layer]:
    """Each file's name in the artifact and its layer. A later layer replaces and deletes files of the earlier ones."""
    origins: dict[str, Layer] = {}
    for layer in layers:
        if not layer.archived:
            origins[layer.path] = layer
        elif layer.path and layer.is_weights and not matches(Path(layer.path).name, patterns):
            continue
        else:
            added, deleted = in_tar(_blob(registry, layer, blobs), layer, locator)
            for name in [name for name in origins if any(f"{name}/".startswith(f"{each}/") for each in deleted)]:
                del origins[name]
            origins |= dict.fromkeys(added, layer)
    return origins


def _manifest(registry: Registry, revision: str, locator: str) -> dict[str, Any]:
    """The fields of the artifact's manifest; of an index, which lists an image for each platform, the first one's."""
    manifest = registry.manifest(revision)
    if manifest.media_type in INDEXES:
        listed = [each for each in manifest.fields.get("manifests", []) if _is_for_linux(each)]
        if not listed:
            raise SourceError(f"oci:{locator} is an index that lists no manifest; push the artifact again")
        manifest = registry.manifest(str(listed[0]["digest"]))
    return manifest.fields


def _is_for_linux(descriptor: dict[str, Any]) -> bool:
    """False for attestations, which have the platform "unknown". The files of a model are alike on all platforms."""
    return bool(descriptor.get("platform", {}).get("os", "linux") == "linux")


def _blob(registry: Registry, layer: Layer, folder: Path) -> Path:
    """The layer's file, downloaded unless it is there. Its digest and its size are those in the manifest."""
    file = folder / layer.digest.replace(":", "-")
    if not file.is_file():
        unfinished = file.with_suffix(".part")
        with unfinished.open("wb") as stream:
            for piece in registry.pieces(layer.digest, layer.size):
                stream.write(piece)
        unfinished.rename(file)
    return file


def _split(locator: str) -> tuple[str, str]:
    """(`host/name`, tag or digest). A digest has priority over a tag, as for docker."""
    match = _LOCATOR.fullmatch(locator)
    if not match:
        raise SourceError(
            f"'oci:{locator}' is no artifact in a registry; write oci:registry/name:tag or "
            "oci:registry/name@sha256:... with the registry's host"
        )
    return match["repository"], match["digest"] or match["tag"] or "latest"


@contextlib.contextmanager
def _explained(locator: str) -> Iterator[None]:
    """The client's sentences name the registry; the reference is added."""
    try:
        yield
    except ReleaseError as error:
        raise SourceError(f"oci:{locator} cannot be read: {error}") from error
