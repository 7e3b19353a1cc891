"""Base images of a platform, from an index in a real registry."""

import pytest

from tests.loopback.registry import running_registry
from utils.factory.platform_base import pulled
from utils.host.errors import ImageError
from utils.registry.registry import IMAGE_MANIFEST, Registry, image_index

AMD64, ARM64 = "linux/amd64", "linux/arm64"


class Engine:
    """An engine of linux/amd64 with some images, by name and platform; it records what it pulls."""

    def __init__(self, **images):
        self.images, self.asked = dict(images.get("images", {})), []

    def native_platform(self):
        return AMD64

    def platform(self, image):
        return self.images.get(image, "")

    def has(self, image):
        return image in self.images

    def is_insecure(self, host):
        return False

    def pull_if_missing(self, image):
        self.asked.append((image, ""))

    def pull_platform(self, image, platform):
        self.asked.append((image, platform))


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
    engine = Engine(images={"triton:1": ARM64})
    assert pulled(engine, "triton:1", "") == "triton:1"
    assert engine.asked == [("triton:1", "")]


def test_image_of_the_platform_is_used_as_it_is():
    engine = Engine(images={"triton:1": ARM64})
    assert pulled(engine, "triton:1", ARM64) == "triton:1"


def test_platform_of_the_engine_is_pulled_by_its_tag():
    engine = Engine()
    assert pulled(engine, "triton:1", AMD64) == "triton:1"
    assert engine.asked == [("triton:1", "")]


@pytest.mark.parametrize(("present", "platform"), [(AMD64, ARM64), (ARM64, AMD64)])
def test_other_platform_is_a_digest_and_the_tag_stays(base, present, platform):
    image, digests = base
    engine = Engine(images={image: present})
    found = pulled(engine, image, platform)
    assert found == f"{image.removesuffix(':both')}@{digests[platform]}"
    assert engine.asked == [(found, platform)]
    again = Engine(images={image: present, found: platform})
    assert pulled(again, image, platform) == found and again.asked == []


def test_base_without_the_platform_is_named(base):
    image = base[0].replace(":both", ":amd64")
    with pytest.raises(ImageError, match=rf"{image} has no variant for {ARM64} \(the registry has one image only\)"):
        pulled(Engine(images={image: AMD64}), image, ARM64)


def test_base_that_the_registry_does_not_have(base):
    image = base[0].replace(":both", ":none")
    with pytest.raises(ImageError, match=f"{image} cannot be found for {ARM64}: registry .* has no"):
        pulled(Engine(images={image: AMD64}), image, ARM64)
