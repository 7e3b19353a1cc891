import pytest

from utils.docker.build_cache import cache_options
from utils.docker.client import BUILDX, BUILT_IN, LEGACY
from utils.host.errors import UsageError

IMAGE = "registry.example.org/team/topics:v1"
STORED = f"type=registry,ref={IMAGE},mode=max"


def test_no_cache_is_no_option():
    for builder in (BUILDX, BUILT_IN, LEGACY):
        assert cache_options(builder, (), ()) == []


def test_buildx_takes_all():
    options = cache_options(BUILDX, (IMAGE, STORED), (STORED, "type=gha"))
    assert options == ["--cache-from", IMAGE, "--cache-from", STORED, "--cache-to", STORED, "--cache-to", "type=gha"]


def test_images_are_taken_by_every_builder():
    for builder in (BUILT_IN, LEGACY):
        assert cache_options(builder, (IMAGE,), ()) == ["--cache-from", IMAGE]


def test_inline_cache_of_the_built_in_buildkit():
    assert cache_options(BUILT_IN, (), ("type=inline",)) == ["--build-arg", "BUILDKIT_INLINE_CACHE=1"]


@pytest.mark.parametrize(
    ("builder", "cache_from", "cache_to", "advice"),
    [
        (BUILT_IN, (STORED,), (), "name an image, such as"),
        (LEGACY, (STORED,), (), "name an image, such as"),
        (BUILT_IN, (), (STORED,), "use --cache-to type=inline"),
        (LEGACY, (), ("type=inline",), "leave it out"),
    ],
)
def test_what_a_builder_lacks_is_refused(builder, cache_from, cache_to, advice):
    with pytest.raises(UsageError, match=rf"needs docker's buildx plugin, .* builds with {builder}; {advice}"):
        cache_options(builder, cache_from, cache_to)
