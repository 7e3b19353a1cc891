"""Images in a real registry on the loopback, read back by skopeo, and pushes that release nothing.

Most tests push a small image without a server: the proof is not their subject.
"""

import json
import os
import re
import subprocess
import time

import pytest

from tests.loopback.registry import running_registry
from utils.factory.publish import Proven, publish, require_target
from utils.host.errors import ReleaseError
from utils.options.publication import Publication
from utils.repository.context import Context
from utils.repository.pipeline import Pipeline

PUSH = Publication(push=True, push_timeout=60)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


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
        made.append(engine.client.run("import", str(folder / "image.tar")).stdout.strip())
        return made[-1]

    yield make
    engine.client.run("rmi", "--force", *made)


@pytest.fixture
def push(engine, tmp_path):
    """push(image_id, name, publication): what follows the proof, and the name is removed here afterwards."""
    tags = []
    pipeline = Pipeline(model_name="small", max_batch_size=1, layout="none", inputs=(), outputs=(), steps=())

    def run(image_id, name, publication=PUSH):
        engine.tag(image_id, name)
        tags.append(name)
        context = Context(pipeline=pipeline, image=name, device="cpu", docker={}, oci_labels={})
        proven = Proven(tree=tmp_path, context=context, image=name, images={"linux/amd64": image_id})
        return publish(proven, publication, engine).reference

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
    moving = Publication(push=True, move_tag=True)
    require_target(moving, name, engine)
    second = push(small(), name, moving)
    assert skopeo(name)["Digest"] == second.partition("@")[2] != digest


def test_latest_moves_and_the_same_image_may_be_pushed_again(registry, small, push):
    name = f"{registry.repository}:latest"
    push(small(), name)
    image_id = small()
    assert push(image_id, name) == push(image_id, name)
    assert push(image_id, f"{registry.repository}:same") == push(image_id, f"{registry.repository}:same")


def test_registry_that_is_not_there_is_found_at_once(engine, own_registry):
    own_registry.stop()
    started = time.monotonic()
    with pytest.raises(ReleaseError, match=f"registry {own_registry.host} does not answer .*refused"):
        require_target(PUSH, f"{own_registry.repository}:v1", engine)
    assert time.monotonic() - started < 4


def test_registry_that_dies_during_the_push_releases_nothing(engine, own_registry, small, push):
    """The engine tries the same layer again for about a minute; the time limit ends that."""
    image_id = small(200_000_000)
    killer = subprocess.Popen(["sleep", "1.5"])
    import threading

    threading.Thread(target=lambda: (killer.wait(), own_registry.stop())).start()
    name = f"{own_registry.repository}:v1"
    started = time.monotonic()
    with pytest.raises(ReleaseError, match=rf"push of {own_registry.repository}:image-[0-9a-f]{{12}} failed"):
        push(image_id, name, Publication(push=True, push_timeout=10))
    assert time.monotonic() - started < 40
    assert own_registry.tags() == []
    assert engine.has(name), "the proven image is kept"
