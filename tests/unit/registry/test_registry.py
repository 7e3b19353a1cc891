"""The client against Debian's docker-registry; skopeo reads what it wrote."""

import json
import subprocess
import time

import pytest

from tests.loopback.registry import running_registry
from utils.host.errors import ReleaseError
from utils.registry.registry import IMAGE_MANIFEST, Registry, fallback_tag, image_index


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("locked registry"), password=True) as server:
        yield server


@pytest.fixture
def registry(server):
    return Registry(server.repository)


def image(registry, architecture="amd64"):
    """An image without layers, as the fields of its manifest."""
    content = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    config = registry.put_blob(json.dumps(content).encode(), "application/vnd.oci.image.config.v1+json")
    return {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config, "layers": []}


def skopeo(*arguments):
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_manifest_is_read_back_by_tag_and_by_digest(registry, server):
    stored = registry.put_manifest(image(registry), "v1")
    assert registry.manifest("v1") == registry.manifest(stored.digest) == stored
    assert skopeo("inspect", "--tls-verify=false", f"docker://{server.repository}:v1")["Digest"] == stored.digest
    assert registry.find("v0") is None
    with pytest.raises(ReleaseError, match=r"has no .*team/topics:v0; check the reference"):
        registry.manifest("v0")


def test_manifest_without_a_tag_is_stored_by_its_digest_only(registry, server):
    before = server.tags()
    stored = registry.put_manifest(image(registry, "s390x"))
    assert registry.manifest(stored.digest).fields["config"] == stored.fields["config"]
    assert server.tags() == before


def test_index_lists_images(registry, server):
    entries = []
    for architecture in ("amd64", "arm64"):
        stored = registry.put_manifest(image(registry, architecture))
        entries.append({**stored.descriptor, "platform": {"os": "linux", "architecture": architecture}})
    registry.put_manifest(image_index(entries), "both")
    for architecture in ("amd64", "arm64"):
        target = (
            "--override-arch",
            architecture,
            "inspect",
            "--tls-verify=false",
            f"docker://{server.repository}:both",
        )
        assert skopeo(*target)["Architecture"] == architecture


def test_blob_is_read_back(registry):
    descriptor = registry.put_blob(b"bill of materials", "text/plain")
    assert registry.put_blob(b"bill of materials", "text/plain") == descriptor  # stored already
    assert registry.blob(descriptor["digest"]) == b"bill of materials"
    with pytest.raises(ReleaseError, match="404 BLOB_UNKNOWN"):
        registry.blob("sha256:" + "0" * 64)


def test_changed_blob_and_changed_manifest_are_found(registry, server):
    descriptor = registry.put_blob(b"one byte of this changes")
    server.blob(descriptor["digest"]).write_bytes(b"One byte of this changes")
    with pytest.raises(ReleaseError, match=f"as {descriptor['digest']}, but its content has the digest sha256:"):
        registry.blob(descriptor["digest"])
    stored = registry.put_manifest(image(registry, "riscv64"), "changed")
    server.blob(stored.digest).write_bytes(stored.content.replace(b'"size":', b'"size": '))
    with pytest.raises(ReleaseError, match="do not use this registry"):
        registry.manifest("changed")


def test_referrers_are_listed_by_the_fallback_tag(registry):
    """Docker-registry 2.8 has no referrers API. Attaching twice lists once."""
    subject = registry.put_manifest(image(registry, "ppc64le"))
    assert registry.referrers(subject.digest) == ()
    for kind in ("application/x-one", "application/x-two", "application/x-one"):
        registry.put_manifest({**image(registry), "artifactType": kind, "subject": subject.descriptor})
    assert [each["artifactType"] for each in registry.referrers(subject.digest)] == [
        "application/x-two",
        "application/x-one",
    ]
    assert registry.manifest(fallback_tag(subject.digest)).media_type.endswith("index.v1+json")


def test_push_permission_leaves_no_upload_behind(registry, server):
    """An upload starts with its file `startedat`; docker-registry 2.8 keeps the folder of a cancelled one."""
    registry.require_push()
    assert not list(server.storage.rglob("_uploads/*/startedat"))


def test_credentials_are_needed_and_taken_from_docker(locked, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "empty"))
    started = time.monotonic()
    with pytest.raises(ReleaseError, match=rf"401 UNAUTHORIZED.*docker login {locked.host}"):
        Registry(locked.repository).require_push()
    assert time.monotonic() - started < 5
    monkeypatch.setenv("DOCKER_CONFIG", locked.log_in(tmp_path / "wrong", "guess")["DOCKER_CONFIG"])
    with pytest.raises(ReleaseError, match="docker login") as caught:
        Registry(locked.repository).require_push()
    assert "guess" not in str(caught.value)
    monkeypatch.setenv("DOCKER_CONFIG", locked.log_in(tmp_path / "right")["DOCKER_CONFIG"])
    registry = Registry(locked.repository)
    registry.require_push()
    stored = registry.put_manifest(image(registry), "v1")
    assert registry.manifest("v1") == stored


def test_credentials_come_from_a_credential_helper(locked, tmp_path, monkeypatch):
    """The helper is a script that answers as docker's helpers do."""
    helper = tmp_path / "docker-credential-loopback"
    answer = json.dumps({"Username": "releaser", "Secret": "loopback"})
    helper.write_text(f"#!/bin/sh\nread -r host\necho '{answer}'\n")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {locked.host: "loopback"}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    Registry(locked.repository).require_push()


def test_unreadable_docker_config_is_named(locked, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(ReleaseError, match=r"config.json' cannot be read .*log in again"):
        Registry(locked.repository).require_push()
