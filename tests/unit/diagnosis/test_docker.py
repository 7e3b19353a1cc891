"""Findings about Docker's client, builder and engine. The clients are stubs on PATH."""

import json

import pytest

from utils.diagnosis import docker
from utils.diagnosis.findings import FAULT, OK, WARNING

INFO = {"ServerVersion": "28.2.2", "Driver": "overlay2", "Architecture": "x86_64"}
IMAGE = "nvcr.io/nvidia/tritonserver:26.08-py3"


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """stub(...) puts a docker on PATH: version, with or without buildx, `info` from its engine (None: no engine)."""
    monkeypatch.setenv("PATH", str(tmp_path))  # without this machine's docker
    monkeypatch.setenv("DOCKER_HOST", "unix:///the/socket")

    def make(version="28.2.2", *, buildx=True, info=INFO, has_image=True):
        program = tmp_path / "docker"
        server = f"echo {version}" if info is not None else "echo 'Cannot connect' >&2; exit 1"
        root = {"DockerRootDir": str(tmp_path), **(info or {})}
        program.write_text(
            f"""#!/bin/sh
case "$1 $3" in
"version {{{{.Client"*) echo {version};;
"version {{{{.Server"*) {server};;
"buildx "*) exit {0 if buildx else 1};;
"info {{{{.DockerRootDir"*) echo '{root["DockerRootDir"]}';;
"info {{{{json"*) echo '{json.dumps(root)}';;
"image --format") {"echo sha256:1" if has_image else "exit 1"};;
esac
"""
        )
        program.chmod(0o755)

    return make


def by_check(image=IMAGE):
    findings, engine = docker.client_and_engine(image)
    return {finding.check: finding for finding in findings}, engine


def test_all_is_well(stub, tmp_path):
    stub()
    found, engine = by_check()
    assert engine is not None
    assert list(found) == ["Docker client", "Docker builder", "Docker engine", "disk, engine"]
    assert {each.status for name, each in found.items() if name != "disk, engine"} == {OK}
    assert found["Docker client"].found == f"28.2.2 at {tmp_path}/docker, DOCKER_HOST=unix:///the/socket"
    assert "28.2.2 on x86_64, storage overlay2" in found["Docker engine"].found


def test_no_client(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found, engine = by_check()
    assert engine is None and list(found) == ["Docker client"]
    assert (found["Docker client"].status, found["Docker client"].exit_code) == (FAULT, 7)
    assert "install Docker" in found["Docker client"].advice


def test_no_engine(stub):
    stub(info=None)
    found, engine = by_check()
    assert engine is None
    assert found["Docker client"].status == OK
    assert (found["Docker engine"].status, found["Docker engine"].exit_code) == (FAULT, 7)
    assert "unix:///the/socket (Cannot connect)" in found["Docker engine"].found


def test_the_legacy_builder(stub):
    stub(buildx=False)
    assert by_check()[0]["Docker builder"].status == WARNING


def test_an_engine_of_an_unsupported_machine(stub):
    stub(info={**INFO, "Architecture": "s390x"})
    found = by_check()[0]["Docker engine"]
    assert found.status == FAULT and "s390x" in found.found


def test_an_engine_on_another_machine(stub):
    stub(info={**INFO, "DockerRootDir": "/no/such/folder"})
    found = by_check()[0]["disk, engine"]
    assert found.status == WARNING and "another machine" in found.found


@pytest.mark.parametrize(("has_image", "status"), [(True, OK), (False, WARNING)])
def test_a_missing_base_image_needs_space(stub, monkeypatch, has_image, status):
    from utils.diagnosis import machine

    monkeypatch.setattr(machine, "free_bytes", lambda folder: 10_000_000_000)
    stub(has_image=has_image)
    assert by_check()[0]["disk, engine"].status == status


def test_an_engine_that_hangs_is_a_fault_within_seconds(stub, tmp_path, monkeypatch):
    stub()
    program = tmp_path / "docker"
    answer, silence = (f'"version {{{{.Server"*) {command}' for command in ("echo 28.2.2", "exec /bin/sleep 60"))
    program.write_text(program.read_text().replace(answer, silence))
    monkeypatch.setattr(docker, "ANSWER_SECONDS", 0.5)
    found, _ = by_check()
    assert found["Docker engine"].status == FAULT and "no answer in 0.5 s" in found["Docker engine"].found
