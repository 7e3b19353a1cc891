"""Images in a real registry on the loopback, read back by skopeo, and pushes that release nothing.

Most tests push a small image without a server: proof, SBOM, provenance and report are not their subject. The image
cannot list its libraries and has no build tree, so the last three are left out here; test_sbom.py and
test_release.py have them.
"""

import json
import os
import re
import subprocess
import threading
import time
from dataclasses import replace

import pytest

from tests.loopback.faulty_registry import FaultyRegistry
from tests.loopback.registry import PASSWORD, running_registry
from utils.factory import publish as publication_of_builds
from utils.factory.publish import Proven, publish, require_target
from utils.host.errors import ReleaseError
from utils.options.publication import Publication
from utils.repository.context import Context
from utils.repository.pipeline import Pipeline

PUSH = Publication(push=True, push_timeout=60)


@pytest.fixture
def own_registry(tmp_path):
    """A registry that a test may end."""
    with running_registry(tmp_path / "own") as registry:
        yield registry


@pytest.fixture(scope="module")
def small(engine, tmp_path_factory):
    """small(bytes) -> the id of an image with one file of as many random bytes."""
    made = []

    def make(size=1000):
        folder = tmp_path_factory.mktemp("small")
        (folder / "content").write_bytes(os.urandom(size))
        subprocess.run(["tar", "-cf", "image.tar", "content"], cwd=folder, check=True)
        label = "LABEL org.opencontainers.image.title=small"  # none of the images that `legacy` removes
        made.append(engine.client.run("import", "--change", label, str(folder / "image.tar")).stdout.strip())
        return made[-1]

    yield make
    engine.client.run("rmi", "--force", *made)


@pytest.fixture
def push(engine, tmp_path, monkeypatch):
    """push(image id or ids by platform, name, publication): what follows the proof; the name is removed afterwards."""
    for name in ("_write_sbom", "_write_provenance", "_write_report"):
        monkeypatch.setattr(publication_of_builds, name, lambda *_: None)
    tags = []
    pipeline = Pipeline(model_name="small", max_batch_size=1, layout="none", inputs=(), outputs=(), steps=())

    def run(images, name, publication=PUSH):
        images = {"linux/amd64": images} if isinstance(images, str) else images
        engine.tag(images["linux/amd64"], name)
        tags.append(name)
        context = Context(pipeline=pipeline, image=name, device="cpu", docker={}, oci_labels={})
        proven = Proven(tree=tmp_path, place=tmp_path, context=context, image=name, images=images)
        return publish(proven, publication, engine)

    yield run
    engine.client.run("rmi", *dict.fromkeys(tags))


def skopeo(reference, *options):
    done = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", *options, f"docker://{reference}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_digest_names_exactly_the_image(registry, small, push, tmp_path):
    image_id = small()
    reference = push(image_id, f"{registry.repository}:exact")
    assert re.fullmatch(rf"{registry.repository}@sha256:[0-9a-f]{{64}}", reference)
    seen = skopeo(f"{registry.repository}:exact", "--raw")
    assert seen["config"]["digest"] == image_id
    assert f'image: "{reference}"' in (tmp_path / "deploy/compose.yaml").read_text()
    assert skopeo(f"{registry.repository}:exact")["Digest"] == reference.partition("@")[2]


def test_tag_keeps_its_content_unless_it_may_move(registry, engine, small, push):
    name = f"{registry.repository}:kept"
    first = push(small(), name)
    assert push(small(), name.replace("kept", "other")) != first
    digest = first.partition("@")[2]
    with pytest.raises(ReleaseError, match=rf"{name} is in the registry already, with the digest {digest}.*--move-tag"):
        require_target(PUSH, name, engine)
    with pytest.raises(ReleaseError, match="a released tag keeps its content"):
        push(small(), name)  # another build pushed in the meantime
    assert skopeo(name)["Digest"] == digest
    moving = replace(PUSH, move_tag=True)
    require_target(moving, name, engine)
    second = push(small(), name, moving)
    assert skopeo(name)["Digest"] == second.partition("@")[2] != digest


def test_latest_moves_and_the_same_image_may_be_pushed_again(registry, small, push):
    name = f"{registry.repository}:latest"
    push(small(), name)
    image_id = small()
    assert push(image_id, name) == push(image_id, name)
    assert push(image_id, f"{registry.repository}:same") == push(image_id, f"{registry.repository}:same")


def test_credentials_of_docker_are_used_and_not_printed(small, push, tmp_path, monkeypatch, capfd):
    with running_registry(tmp_path / "locked", password=True) as locked:
        monkeypatch.setenv("DOCKER_CONFIG", locked.log_in(tmp_path / "docker")["DOCKER_CONFIG"])
        push(small(), f"{locked.repository}:v1")
        assert "v1" in locked.tags()
    assert PASSWORD not in capfd.readouterr().err


def test_registry_that_is_not_there_is_found_at_once(engine, own_registry):
    own_registry.stop()
    started = time.monotonic()
    with pytest.raises(ReleaseError, match=f"registry {own_registry.host} does not answer .*refused"):
        require_target(PUSH, f"{own_registry.repository}:v1", engine)
    assert time.monotonic() - started < 10


def test_registry_that_dies_during_the_push_releases_nothing(engine, own_registry, small, push):
    """The engine tries the same layer again for about a minute; the time limit ends that."""
    name = f"{own_registry.repository}:v1"
    threading.Timer(1.5, own_registry.stop).start()
    started = time.monotonic()
    with pytest.raises(ReleaseError, match=rf"push of {own_registry.repository}:image-[0-9a-f]{{12}} failed"):
        push(small(200_000_000), name, replace(PUSH, push_timeout=5))
    assert time.monotonic() - started < 60
    assert own_registry.tags() == []
    assert engine.has(name), "the proven image is kept"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("hang on blobs", r"push of .* failed \(not finished in 4 s\)"),
        ("wrong manifest", r"as sha256:[0-9a-f]{64}, but its content has the digest sha256:"),
        ("drop", r"push of .* failed \((?!not finished)"),
    ],
)
def test_faulty_registry_releases_nothing(own_registry, small, push, fault, message):
    with FaultyRegistry(own_registry.host) as proxy:
        proxy.fault = fault
        with pytest.raises(ReleaseError, match=message):
            push(small(), f"{proxy.repository}:v1", replace(PUSH, push_timeout=4))
    assert "v1" not in [*own_registry.tags(), *proxy.pushed()]


def test_index_holds_each_platform_and_is_tagged_last(engine, registry, small, push, tmp_path):
    """The image for arm64 has no program; test_platforms.py is about those that run."""
    (tmp_path / "content").write_text("for arm64")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY content /\n")
    name = f"{registry.repository}:several"
    built = engine.client.run(
        "build", "--quiet", "--platform", "linux/arm64", "--tag", f"{name}-arm64", str(tmp_path), seconds=300
    )
    arm64 = built.stdout.strip()
    assert engine.platform(arm64) == "linux/arm64", built.stderr
    images = {"linux/amd64": small(), "linux/arm64": arm64}
    reference = push(images, name)
    index = skopeo(reference, "--raw")
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    for entry, (platform, image_id) in zip(index["manifests"], images.items(), strict=True):
        assert "/".join((entry["platform"]["os"], entry["platform"]["architecture"])) == platform
        assert skopeo(f"{registry.repository}@{entry['digest']}", "--raw")["config"]["digest"] == image_id
    assert skopeo(name, "--raw") == index
    engine.client.run("rmi", f"{name}-arm64")
    engine.client.run("rmi", name)
    assert engine.client.run("pull", "--platform", "linux/arm64", name).returncode == 0
    assert engine.platform(name) == "linux/arm64", "docker takes its platform from the index"
