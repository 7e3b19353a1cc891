"""The Docker build context written into a build tree."""

import os
import re
import stat
from pathlib import Path

import pytest

from utils.docker import context, wheelhouse
from utils.host.errors import UsageError

DOCKER = {"triton_image": "team/triton:1", "slim_image": "debian:12-slim", "runtime": "slim", "python": "3.11"}


@pytest.fixture
def filled(monkeypatch):
    calls = []

    def fill(destination, **options):
        calls.append((destination, options))
        return "numpy==1 --hash=sha256:0\n"

    monkeypatch.setattr(wheelhouse, "fill", fill)
    return calls


def arguments_of(tree):
    lines = (tree / "Dockerfile").read_text().splitlines()
    return [line for line in lines if re.match("ARG .*=", line)]


def test_dockerfile_holds_the_values_of_the_build(tmp_path, filled):
    context.write(tmp_path, DOCKER)
    assert arguments_of(tmp_path) == [
        "ARG TRITON_IMAGE=team/triton:1",
        "ARG SLIM_IMAGE=debian:12-slim",
        "ARG RUNTIME=slim",
        "ARG SOURCE_DATE_EPOCH=0",
    ]


def test_full_image_needs_no_slim_base(tmp_path, filled):
    context.write(tmp_path, DOCKER | {"runtime": "full", "slim_image": "no/such/image:1"})
    assert arguments_of(tmp_path)[1:] == ["ARG SLIM_IMAGE=team/triton:1", "ARG RUNTIME=full", "ARG SOURCE_DATE_EPOCH=0"]


def test_only_an_image_with_routes_has_their_process(tmp_path, filled):
    (tmp_path / "api.json").write_text("{}")
    context.write(tmp_path, DOCKER)
    assert not [path for path in (tmp_path / "optional").rglob("*") if path.is_file()]
    context.write(tmp_path, DOCKER, [Path("requirements/api.txt")])
    assert (tmp_path / "optional/settings/api.json").read_text() == "{}"
    sources = {path.name for path in (context.ROOT / "deploy/api").glob("*.py")}
    assert {path.name for path in (tmp_path / "optional/code/api").iterdir()} == sources
    assert filled[1][1]["requirements"][1:] == [context.ROOT / "requirements/api.txt"]
    assert not {path.stat().st_mode & 0o777 for path in (tmp_path / "optional").rglob("*")} - {0o755, 0o644}


@pytest.mark.parametrize("name", ["triton_image", "slim_image"])
def test_invalid_image_reference_is_refused(tmp_path, filled, name):
    with pytest.raises(UsageError, match="not an image reference"):
        context.write(tmp_path, DOCKER | {name: "x\nRUN evil"})


def test_wheels_are_for_the_python_of_the_base(tmp_path, filled):
    context.write(tmp_path, DOCKER | {"machine": "aarch64"}, refresh=True)
    ((destination, options),) = filled
    assert destination == tmp_path / "wheelhouse"
    assert (options["python"], options["machine"], options["refresh"]) == ("3.11", "aarch64", True)
    assert options["requirements"] == [context.ROOT / "requirements-serving.txt"]
    assert (tmp_path / "requirements-serving.txt").read_text() == "numpy==1 --hash=sha256:0\n"


def test_files_are_readable_by_all_with_any_umask(tmp_path, filled):
    former = os.umask(0o077)
    try:
        context.write(tmp_path, DOCKER)
    finally:
        os.umask(former)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in context.FILES}
    assert modes == context.FILES
    assert stat.S_IMODE((tmp_path / "deploy").stat().st_mode) == 0o755


def test_writing_twice_changes_nothing(tmp_path, filled):
    context.write(tmp_path, DOCKER)
    first = (tmp_path / "Dockerfile").read_text()
    context.write(tmp_path, DOCKER)
    assert (tmp_path / "Dockerfile").read_text() == first


def test_dockerignore_allows_everything_that_the_dockerfile_copies():
    text = (context.ROOT / "Dockerfile").read_text()
    allowed = (context.ROOT / ".dockerignore").read_text().split()
    copied = [
        word
        for line in text.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    assert {word.split("/")[0] for word in copied} == {
        word.removeprefix("!").split("/")[0] for word in allowed if word.startswith("!")
    }
    assert allowed[0] == "*"
    assert "!deploy" not in allowed, "the manifests in deploy/ are no part of the image"


def test_large_files_are_in_a_layer_of_their_own(tmp_path):
    """The build context has them below weights/ only, apart from the files that change with each tag."""
    large = tmp_path / "model_repository/model_onnx/1/model.onnx"
    odd = large.parent / "weights[0].bin"
    small = tmp_path / "model_repository/model_onnx/config.pbtxt"
    large.parent.mkdir(parents=True)
    large.write_bytes(b"x" * context.LARGE)
    odd.write_bytes(b"y" * context.LARGE)
    small.write_text("name: 'model_onnx'")
    for _ in range(2):  # writing twice is allowed
        context.write_context(tmp_path, triton_image="a:b", slim_image="c:d", runtime="slim")
    found = [path for path in (tmp_path / "weights").rglob("*") if path.is_file()]
    assert sorted(path.name for path in found) == ["model.onnx", "weights[0].bin"]
    assert (tmp_path / "weights/model_onnx/1/model.onnx").samefile(large)
    assert odd.stat().st_nlink == 1
    assert (tmp_path / ".dockerignore").read_text().splitlines()[-2:] == [
        "model_repository/model_onnx/1/model.onnx",
        r"model_repository/model_onnx/1/weights\[0\].bin",
    ]


def test_every_file_of_the_supervisor_is_in_the_context():
    folder = context.ROOT / "deploy/supervisor"
    files = {path.relative_to(context.ROOT).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {file for file in files if not file.endswith(".pyc")} == {
        name for name in context.FILES if name.startswith("deploy/supervisor/")
    }
