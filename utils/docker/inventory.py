"""The libraries and programs of a built image, with their owners."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from utils.docker.client import last_line
from utils.docker.engine import Engine
from utils.docker.running_container import query
from utils.host.errors import ReleaseError

SCRIPT = "/opt/serving/inventory.py"
SECONDS = 900.0  # a full image has gigabytes of libraries that belong to no package


@dataclass(frozen=True, kw_only=True)
class OwnedFile:
    """A file at `path` in the image. `copied_from`: its place in the Triton image, if that is another one."""

    path: str
    copied_from: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who owns `files`. `kind`: "deb", "pypi", "triton" or "folder" (see deploy/inventory.py).

    `copied`: the files were copied out of the Triton image. `package`: architecture, distribution and source of a deb.
    `platform`: of the image; "" for the only one, or the one that the build tree is the context of.
    """

    kind: str
    name: str
    version: str
    copied: bool
    package: Mapping[str, str]
    files: tuple[OwnedFile, ...]
    platform: str = ""


def read_inventory(engine: Engine, image_id: str, platform: str = "") -> tuple[Owner, ...]:
    """The owners of all libraries and programs in the image, and its packages. Raises ReleaseError.

    `platform` is stated in the owners.
    """
    command = [*query(), "--user", "0", "--entrypoint", "python3", image_id, "-I", "-S", SCRIPT]
    answer = engine.client.run(*command, seconds=SECONDS)
    if answer.returncode != 0:
        raise ReleaseError(f"the libraries of the image {image_id} cannot be listed ({last_line(answer.stderr)})")
    return parse_inventory(answer.stdout, platform)


def parse_inventory(text: str, platform: str = "") -> tuple[Owner, ...]:
    """The owners that deploy/inventory.py printed."""
    return tuple(replace(_owner(values), platform=platform) for values in json.loads(text))


def _owner(values: dict[str, object]) -> Owner:
    files = values.pop("files")
    assert isinstance(files, list)
    texts = {name: str(value) for name, value in values.items()}
    return Owner(
        kind=texts.pop("kind"),
        name=texts.pop("name"),
        version=texts.pop("version", ""),
        copied=texts.pop("from", "") == "triton",
        package=texts,
        files=tuple(OwnedFile(**each) for each in files),
    )
