"""One release for all tests of this folder: a signed build by the command of docs/release.md, on a real registry."""

import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import shared_conversions, tiny_models
from tests.loopback.registry import LoopbackRegistry, running_registry
from utils import ROOT
from utils.docker.engine import Engine
from utils.host.build_tree import BUILD

PAGE = (ROOT / "docs/release.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Sign and verify")[1].split("\n## ")[0]
MAKE_KEYS, RELEASE = re.findall(r"(?ms)^```\n(.*?)^```", SECTION)[:2]
BUILD_COMMAND, VERIFY_COMMAND = (RELEASE[: RELEASE.index("./verify.sh")], RELEASE[RELEASE.index("./verify.sh") :])
EPOCH = 1_700_000_000


@dataclass(frozen=True, kw_only=True)
class Release:
    """A finished build. `repository` is that of its image, and `result` what --json printed."""

    name: str
    model: Path
    repository: str
    result: dict[str, Any]
    messages: str


def bash(command: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """The finished command. All builds of this folder state the same time, and therefore share their layers."""
    env = shared_conversions.environment(SOURCE_DATE_EPOCH=str(EPOCH))
    return subprocess.run(["bash", "-euc", command], cwd=cwd, env=env, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackRegistry]:
    """One for the images of this folder."""
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sign.key and sign.pub."""
    folder = tmp_path_factory.mktemp("keys")
    done = bash(MAKE_KEYS, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def released(
    engine: Engine,
    bases: tuple[str, str],
    registry: LoopbackRegistry,
    keys: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Release]:
    """The signed release `v1`. It is built without caches, and its image has the cache of the build.

    Images and builds are removed at the end.
    """
    name = f"test-{uuid.uuid4().hex[:8]}"
    repository = f"{registry.host}/team/{name}"
    model = tiny_models.distilbert(tmp_path_factory.mktemp("model") / "someones-model")
    (model / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Topics\n")
    command = BUILD_COMMAND
    for written, meant in {
        "./model ./model ./id2label.json topics": f"{model} {model} - {name}",
        "registry.example.org/team/topics": repository,
        "sign.key": f"{keys}/sign.key",
    }.items():
        command = command.replace(written, meant)
    options = "--no-cache --json --no-measure --platform linux/amd64 --cache-to type=inline"
    done = bash(f"{command.strip()} --base-image {bases[0]} --slim-image {bases[1]} {options}")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    yield Release(name=name, model=model, repository=repository, result=result, messages=done.stderr)
    images = engine.client.run("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    engine.client.run("rmi", "--force", *(image for image in images if f"/team/{name}:" in image))
    for place in (BUILD / name, BUILD / ".unfinished" / name):
        shutil.rmtree(place, ignore_errors=True)
