"""Pushes a model folder to a registry as the tools of model artifacts do: modctl, kit, oras, and docker for modelcars.

    push(PUSHED["ModelPack"], folder, registry.host, "team/topics:v1")

The manifests and layers are written here from the formats' specifications and go to a real registry through the
project's client; oras pushes by its own Python client. The tools themselves do not run, which hides what they do beyond
their specifications.
"""

import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import oras.client

from utils.host.temporary import temporary_files_in
from utils.registry.registry import IMAGE_MANIFEST, Registry, image_index

Push = Callable[[Path, Registry], dict[str, Any]]
_FILEPATH = "org.cncf.model.filepath"
_IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def tar_of(folder: Path, files: Iterable[Path], prefix: str = "") -> bytes:
    """A tar with the files' names relative to `folder`, below `prefix`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            archive.add(file, f"{prefix}{file.relative_to(folder).as_posix()}")
    return buffer.getvalue()


def _manifest(config: dict[str, Any], layers: list[dict[str, Any]], kind: str = "") -> dict[str, Any]:
    typed = {"artifactType": kind} if kind else {}
    return {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, **typed, "config": config, "layers": layers}


def model_pack(archive: str) -> Push:
    """One layer for each file, as `modctl build` makes them; `archive`: "raw", "tar" or "tar+gzip"."""

    def layers(folder: Path, registry: Registry) -> dict[str, Any]:
        found = []
        for file in files_of(folder):
            part = "weight" if file.suffix in (".safetensors", ".bin") else "weight.config"
            content = file.read_bytes() if archive == "raw" else tar_of(folder, [file])
            content = gzip.compress(content) if archive == "tar+gzip" else content
            blob = registry.put_blob(content, f"application/vnd.cncf.model.{part}.v1.{archive}")
            found.append({**blob, "annotations": {_FILEPATH: file.relative_to(folder).as_posix()}})
        config = registry.put_blob(b'{"descriptor": {"name": "topics"}}', "application/vnd.cncf.model.config.v1+json")
        return _manifest(config, found, "application/vnd.cncf.model.manifest.v1+json")

    return layers


def model_kit(folder: Path, registry: Registry) -> dict[str, Any]:
    """The whole folder in one layer, as `kit pack` makes it of a Kitfile whose model has the path ./model."""
    kitfile = {"manifestVersion": "1.0.0", "model": {"name": "topics", "path": "./model"}}
    config = registry.put_blob(json.dumps(kitfile).encode(), "application/vnd.kitops.modelkit.config.v1+json")
    content = gzip.compress(tar_of(folder, files_of(folder), "model/"))
    layer = registry.put_blob(content, "application/vnd.kitops.modelkit.model.v1.tar+gzip")
    docs = gzip.compress(tar_of(folder, [folder / "README.md"], "docs/"))
    return _manifest(config, [layer, registry.put_blob(docs, "application/vnd.kitops.modelkit.docs.v1.tar+gzip")])


def modelcar(folder: Path, registry: Registry) -> dict[str, Any]:
    """An image: a base with links, the model below /models, and a layer that replaces and deletes files of it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("bin/sh")
        link.type, link.linkname = tarfile.SYMTYPE, "/bin/busybox"
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("config.json"))
        archive.addfile(tarfile.TarInfo("models/old.json"))
    last = io.BytesIO()
    with tarfile.open(fileobj=last, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("models/.wh.old.json"))
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    contents = (buffer.getvalue(), tar_of(folder, files_of(folder), "models/"), last.getvalue())
    layers = [registry.put_blob(gzip.compress(content), kind) for content in contents]
    config = registry.put_blob(b'{"architecture": "amd64", "os": "linux", "config": {}}', _IMAGE_CONFIG)
    return _manifest(config, layers)


def modelcar_index(folder: Path, registry: Registry) -> dict[str, Any]:
    """The image in an index, behind an attestation, as docker buildx pushes it."""
    image = registry.put_manifest(modelcar(folder, registry))
    attestation = registry.put_manifest(_manifest(registry.put_blob(b"{}", _IMAGE_CONFIG), []))
    unknown = {"os": "unknown", "architecture": "unknown"}
    linux = {"os": "linux", "architecture": "amd64"}
    listed = [{**attestation.descriptor, "platform": unknown}, {**image.descriptor, "platform": linux}]
    return image_index(listed)


PUSHED: dict[str, Push] = {
    "ModelPack": model_pack("raw"),
    "ModelPack in tars": model_pack("tar"),
    "ModelPack in gzip": model_pack("tar+gzip"),
    "ModelKit": model_kit,
    "modelcar": modelcar,
    "modelcar in an index": modelcar_index,
}


def push(how: Push, folder: Path, host: str, name_and_tag: str) -> str:
    """Pushes `folder`; the digest of the manifest."""
    name, _, tag = name_and_tag.partition(":")
    registry = Registry(f"{host}/{name}")
    return registry.put_manifest(how(folder, registry), tag).digest


def push_by_oras(folder: Path, host: str, name_and_tag: str) -> None:
    """By the client of ORAS: files by their titles, and a subfolder as an archive that is marked for unpacking."""
    client = oras.client.OrasClient(insecure=True)
    entries = [str(path.relative_to(folder)) for path in sorted(folder.iterdir())]
    with tempfile.TemporaryDirectory() as place, temporary_files_in(Path(place)):  # the client leaves its own
        client.push(target=f"{host}/{name_and_tag}", files=entries, disable_path_validation=True)
