"""The layers of a model artifact: which files they have, and how one file is taken out of them.

Sources: CNCF model-spec (media types, filepath annotation), KitOps' ModelKit format, OCI image specification (layers,
whiteouts), and the title and unpack annotations of ORAS.
"""

import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from utils.host.errors import SourceError
from utils.sources.storage.archive import explained, is_outside

_IMAGE_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_IMAGE_FOLDER = "models/"  # where KServe's modelcar images have the model
_PATHS = ("org.cncf.model.filepath", "org.cnai.model.filepath", "org.opencontainers.image.title")
_TITLE, _UNPACK = "org.opencontainers.image.title", "io.deis.oras.content.unpack"
_ORDINARY_LAYER = "application/vnd.oci.image.layer.v1."
_WEIGHTS = (".safetensors", ".bin", ".gguf", ".pt", ".pth", ".onnx", ".h5", ".msgpack")
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """`path`: the annotated name of its file or folder, empty if it has none. `compression`: of the tar, or ""."""

    digest: str
    size: int
    path: str
    archived: bool
    compression: str = ""
    below: str = ""

    @property
    def is_weights(self) -> bool:
        """True if its annotated name is that of one file of weights."""
        return self.path.endswith(_WEIGHTS)


def layers_of(manifest: dict[str, Any], locator: str) -> list[Layer]:
    """The layers that can have files, in their order. SourceError for an artifact whose layers cannot be read."""
    is_image = manifest.get("config", {}).get("mediaType") in _IMAGE_CONFIGS and not manifest.get("artifactType")
    layers = [_layer(each, is_image, locator) for each in manifest.get("layers", [])]
    found = [layer for layer in layers if layer.archived or layer.path]
    if not found:
        kind = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType") or "unknown"
        raise SourceError(
            f"oci:{locator} has no layer with files (its artifact type is {kind!r}); push the model's folder "
            "as ModelPack, as a ModelKit, with `oras push`, or as an image with /models"
        )
    return found


def _layer(descriptor: dict[str, Any], is_image: bool, locator: str) -> Layer:
    kind = str(descriptor.get("mediaType", ""))
    annotations = descriptor.get("annotations") or {}
    path = next((_clean(annotations[name], locator) for name in _PATHS if name in annotations), "")
    # `oras push` gives files the media type of a tar, too; only folders are archives, and have the mark.
    is_file = kind.startswith(_ORDINARY_LAYER) and _TITLE in annotations and annotations.get(_UNPACK) != "true"
    archived = not is_file and kind.endswith(("tar", "tar+gzip", "tar.gzip", "tar+zstd", "tar.zstd"))
    return Layer(
        digest=str(descriptor["digest"]),
        size=int(descriptor["size"]),
        path=path,
        archived=archived,
        compression=kind.rpartition("tar")[2].lstrip("+.") if archived else "",
        below=_IMAGE_FOLDER if is_image else "",
    )


def _clean(path: str, locator: str) -> str:
    if is_outside(path):
        raise SourceError(f"oci:{locator} has the file {path!r}, which is outside its folder; push it again")
    return PurePosixPath(path).as_posix()


def in_tar(file: Path, layer: Layer, locator: str) -> tuple[list[str], list[str]]:
    """The files in a layer's tar, and the files and folders that it deletes from earlier layers."""
    added, deleted = [], []
    with explained(f"oci:{locator}"), _opened(file, layer, locator) as archive:
        for member in archive:
            path = PurePosixPath(_name(member))
            if is_outside(path.as_posix()):
                raise SourceError(f"oci:{locator} has the file {member.name!r}, which is outside its folder")
            if not path.as_posix().startswith(layer.below):
                continue
            if path.name == _OPAQUE:
                deleted.append(path.parent.as_posix())
            elif path.name.startswith(_WHITEOUT):
                deleted.append(path.with_name(path.name.removeprefix(_WHITEOUT)).as_posix())
            elif not member.isdir():
                added.append(path.as_posix())
    return added, deleted


def take(file: Path, layer: Layer, destinations: Mapping[str, Path], locator: str) -> None:
    """Writes files of a layer, {name in the layer: destination}. SourceError for a link or a device."""
    for destination in destinations.values():
        destination.parent.mkdir(parents=True, exist_ok=True)
    if not layer.archived:
        shutil.copyfile(file, destinations[layer.path])
        return
    with explained(f"oci:{locator}"), _opened(file, layer, locator) as archive:
        for member in archive:
            name = _name(member)
            if name not in destinations or member.isdir():
                continue
            content = archive.extractfile(member) if member.isfile() else None
            if content is None:
                raise SourceError(f"oci:{locator} has {name!r} as a link or a device; push it as a file")
            with content, destinations[name].open("wb") as target:
                shutil.copyfileobj(content, target, 1 << 20)


def _name(member: tarfile.TarInfo) -> str:
    return PurePosixPath(member.name).as_posix().lstrip("/")


def _opened(file: Path, layer: Layer, locator: str) -> tarfile.TarFile:
    if layer.compression == "zstd":
        raise SourceError(
            f"oci:{locator} has a layer compressed with zstd, which is not supported; push it with gzip or without "
            "compression"
        )
    return tarfile.open(file, "r:gz" if layer.compression == "gzip" else "r:")
