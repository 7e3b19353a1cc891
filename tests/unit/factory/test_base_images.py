import platform

import pytest

from tests.loopback.registry import running_registry
from utils.factory.base_images import docker_plan, pulled
from utils.host.errors import ImageError, UsageError
from utils.options.build_spec import parse_arguments
from utils.registry.registry import IMAGE_MANIFEST, Registry, image_index
from utils.targets.releases import SECURITY_FLOOR, find_release


def target_of(*options):
    return parse_arguments(["./some/model", "hf:user/tok@v1", "-", "topics", "v1", "8", *options]).target


class RecordingEngine:
    """Stands for Docker: knows some images, tells what is in them, and keeps what it was asked."""

    def __init__(self, missing=(), python="3.12", release=("ubuntu", "24.04"), triton=""):
        self.missing, self.python, self.release, self.triton = missing, python, release, triton
        self.pulled, self.digests = [], {}

    def pull_if_missing(self, image):
        self.pulled.append(image)
        if image in self.missing:
            raise ImageError(f"no image {image}")

    def python_version(self, image):
        assert image in self.pulled
        return self.python

    def triton_release(self, image):
        assert image in self.pulled
        return self.triton

    def machine(self, image):
        assert image in self.pulled
        return "aarch64"

    def require_backend(self, image, backend):
        assert image in self.pulled
        self.backend = backend

    def os_release(self, image):
        assert image in self.pulled
        return self.release

    def digest(self, image):
        assert image in self.pulled
        return self.digests.get(image, "")


def test_without_an_engine_the_release_table_answers():
    release = find_release("24.08")
    assert docker_plan(target_of("--release", "24.08"), None) == {
        "triton_image": release.triton_image,
        "slim_image": release.slim_image,
        "runtime": "slim",
        "python": "3.10",
        "machine": platform.machine(),
    }


def test_the_gpu_image_needs_no_slim_base():
    engine = RecordingEngine(python="3.12")
    plan = docker_plan(target_of("--device", "gpu"), engine)
    assert plan["runtime"] == "full"
    assert engine.pulled == [plan["triton_image"]]


def test_the_digests_of_pulled_images_are_part_of_the_plan():
    engine = RecordingEngine()
    plan = docker_plan(target_of(), engine)
    assert not {"triton_digest", "slim_digest"} & set(plan), "images of no registry"
    engine.digests = {plan["triton_image"]: "sha256:1", plan["slim_image"]: "sha256:2"}
    plan = docker_plan(target_of(), engine)
    assert (plan["triton_digest"], plan["slim_digest"]) == ("sha256:1", "sha256:2")
    assert "slim_digest" not in docker_plan(target_of("--device", "gpu"), engine)


def test_the_engine_pulls_both_images_and_tells_the_python():
    engine = RecordingEngine(python="3.13")
    plan = docker_plan(target_of(), engine)
    assert (plan["python"], plan["machine"], plan["runtime"]) == ("3.13", "aarch64", "slim")
    assert engine.pulled == [plan["triton_image"], plan["slim_image"]]


@pytest.mark.parametrize(
    ("release", "slim"),
    [(("ubuntu", "22.04"), "ubuntu:22.04"), (("debian", "12"), "debian:12-slim")],
)
def test_a_base_image_of_ones_own_gets_the_slim_base_of_its_distribution(release, slim):
    engine = RecordingEngine(release=release)
    plan = docker_plan(target_of("--base-image", "mine:1"), engine)
    assert (plan["triton_image"], plan["slim_image"], plan["runtime"]) == ("mine:1", slim, "slim")
    assert engine.pulled == ["mine:1", slim]


def test_a_slim_base_that_is_not_to_be_had_makes_a_larger_image(capsys):
    engine = RecordingEngine(missing=["debian:12-slim"], release=("debian", "12"))
    assert docker_plan(target_of("--base-image", "mine:1"), engine)["runtime"] == "full"
    assert "warning: no image debian:12-slim" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--slim-image", "slim:1"], ["--slim-image", "slim:1", "--base-image", "mine:1"]])
def test_a_slim_base_that_was_asked_for_must_be_there(options):
    with pytest.raises(ImageError, match="no image slim:1"):
        docker_plan(target_of(*options), RecordingEngine(missing=["slim:1"]))


def test_a_triton_that_is_not_to_be_had_is_reported():
    with pytest.raises(ImageError, match="no image mine:1"):
        docker_plan(target_of("--base-image", "mine:1"), RecordingEngine(missing=["mine:1"]))


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        (["--release", "24.08"], True),
        (["--release", SECURITY_FLOOR], False),
        (["--release", "24.08", "--base-image", "mine:1"], True),
        (["--base-image", "mine:1"], False),
        ([], False),
    ],
)
@pytest.mark.parametrize("engine", [None, RecordingEngine()], ids=["no engine", "engine"])
def test_an_old_release_is_warned_of(capsys, options, warned, engine):
    docker_plan(target_of(*options), engine)
    err = capsys.readouterr().err
    assert ("lacks security fixes" in err) == warned
    assert not warned or ("24.08" in err and f"--release {SECURITY_FLOOR}" in err and "up to August 2026" in err)


@pytest.mark.parametrize(
    ("found", "release", "old", "older"),
    [
        ("24.08", SECURITY_FLOOR, True, True),
        ("24.08", "24.08", True, False),
        (SECURITY_FLOOR, "24.08", False, False),
        ("99.01", SECURITY_FLOOR, False, False),
    ],
)
def test_what_a_base_image_says_it_is_counts(capsys, found, release, old, older):
    docker_plan(target_of("--base-image", "mine:1", "--release", release), RecordingEngine(triton=found))
    err = capsys.readouterr().err
    assert ("lacks security fixes" in err, f"base image mine:1 is Triton {found}" in err) == (old, older)
    assert not older or f"--release {found}" in err


def test_a_base_image_of_a_release_before_24_01_is_refused():
    with pytest.raises(UsageError, match=r"mine:1.*23\.10"):
        docker_plan(target_of("--base-image", "mine:1"), RecordingEngine(triton="23.10"))


@pytest.mark.parametrize("engine", [None, RecordingEngine(missing=["ubuntu:24.04"])])
def test_torchscript_is_built_on_the_whole_base_image_whatever_the_device(engine):
    plan = docker_plan(target_of("--format", "torchscript"), engine)
    assert plan["runtime"] == "full"
    if engine:
        assert (engine.backend, engine.pulled) == ("pytorch", [plan["triton_image"]])


AMD64, ARM64 = "linux/amd64", "linux/arm64"


class EngineOfPlatforms:
    """An engine of linux/amd64 with some images, by name and platform; it records what it pulls."""

    def __init__(self, **images):
        self.images, self.pulls = dict(images.get("images", {})), []

    def native_platform(self):
        return AMD64

    def platform(self, image):
        return self.images.get(image, "")

    def has(self, image):
        return image in self.images

    def is_insecure(self, host):
        return False

    def pull_if_missing(self, image):
        self.pulls.append((image, ""))

    def pull_platform(self, image, platform):
        self.pulls.append((image, platform))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """(image name with an index, digests by platform)"""
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        registry = Registry(f"{server.host}/base/triton")
        entries, digests = [], {}
        for name in (AMD64, ARM64):
            config = registry.put_blob(f'{{"os": "linux", "architecture": "{name[6:]}"}}'.encode())
            stored = registry.put_manifest(
                {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config, "layers": []}, name[6:]
            )
            entries.append({**stored.descriptor, "platform": {"os": "linux", "architecture": name[6:]}})
            digests[name] = stored.digest
        registry.put_manifest(image_index(entries), "both")
        yield f"{server.host}/base/triton:both", digests


def test_without_a_platform_the_tag_is_used():
    engine = EngineOfPlatforms(images={"triton:1": ARM64})
    assert pulled(engine, "triton:1", "") == "triton:1"
    assert engine.pulls == [("triton:1", "")]


def test_image_of_the_platform_is_used_as_it_is():
    engine = EngineOfPlatforms(images={"triton:1": ARM64})
    assert pulled(engine, "triton:1", ARM64) == "triton:1"


def test_platform_of_the_engine_is_pulled_by_its_tag():
    engine = EngineOfPlatforms()
    assert pulled(engine, "triton:1", AMD64) == "triton:1"
    assert engine.pulls == [("triton:1", "")]


@pytest.mark.parametrize(("present", "platform"), [(AMD64, ARM64), (ARM64, AMD64)])
def test_other_platform_is_a_digest_and_the_tag_stays(base, present, platform):
    image, digests = base
    engine = EngineOfPlatforms(images={image: present})
    found = pulled(engine, image, platform)
    assert found == f"{image.removesuffix(':both')}@{digests[platform]}"
    assert engine.pulls == [(found, platform)]
    again = EngineOfPlatforms(images={image: present, found: platform})
    assert pulled(again, image, platform) == found and again.pulls == []


def test_base_without_the_platform_is_named(base):
    image = base[0].replace(":both", ":amd64")
    with pytest.raises(ImageError, match=rf"{image} has no variant for {ARM64} \(the registry has one image only\)"):
        pulled(EngineOfPlatforms(images={image: AMD64}), image, ARM64)


def test_base_that_the_registry_does_not_have(base):
    image = base[0].replace(":both", ":none")
    with pytest.raises(ImageError, match=f"{image} cannot be found for {ARM64}: registry .* has no"):
        pulled(EngineOfPlatforms(images={image: AMD64}), image, ARM64)
