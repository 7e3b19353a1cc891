from pathlib import Path

import pytest

from tests.small_specs import THREE
from utils.docker.client import BUILDX, BUILT_IN, LEGACY
from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments
from utils.options.publication import Publication

REGISTRY = ("--image", "registry.example.org/team/topics")
IMAGE = "registry.example.org/team/topics:v1"
STORED = f"type=registry,ref={IMAGE},mode=max"


def test_nothing_is_pushed_by_default():
    assert parse_arguments(THREE).output.publication == Publication()
    assert Publication().as_options() == []


@pytest.mark.parametrize("image", ["registry.example.org/team/topics", "registry:5000/topics", "docker.io/user/topics"])
def test_push_needs_a_registry_in_the_image(image):
    assert parse_arguments([*THREE, "--push", "--image", image]).output.publication.push


@pytest.mark.parametrize("options", [(), ("--image", "topics"), ("--image", "user/topics")])
def test_push_without_a_registry_is_refused(options):
    with pytest.raises(UsageError, match=r"--push needs a registry.* use --image registry\.example\.org/team/name"):
        parse_arguments([*THREE, "--push", *options])


@pytest.mark.parametrize("option", ["--no-image", "--no-verify"])
def test_what_is_not_proven_is_not_pushed(option):
    with pytest.raises(UsageError, match=f"--push is not possible with {option}: only a proven image is pushed"):
        parse_arguments([*THREE, *REGISTRY, "--push", option])


@pytest.mark.parametrize("options", [("--move-tag",), ("--push-timeout", "60"), ("--sign-key", "sign.key")])
def test_options_of_a_push_need_push(options):
    with pytest.raises(UsageError, match=f"{options[0]} is for --push"):
        parse_arguments([*THREE, *REGISTRY, *options])


def test_time_limit_is_a_number():
    with pytest.raises(UsageError, match="--push-timeout is 'soon'"):
        parse_arguments([*THREE, *REGISTRY, "--push", "--push-timeout", "soon"])


def test_options_read_back():
    options = ["--push", "--move-tag", "--push-timeout", "60", "--sign-key", "/keys/sign.key"]
    publication = parse_arguments([*THREE, *REGISTRY, *options]).output.publication
    assert publication == Publication(push=True, move_tag=True, push_timeout=60, sign_key=Path("/keys/sign.key"))
    assert publication.as_options() == options


def test_flags_in_a_config_file(yaml_file):
    file = yaml_file("push: true\nmove_tag: false\npush_timeout: 60\nimage: host:5000/name\n")
    publication = parse_arguments([*THREE, "--config", file]).output.publication
    assert publication == Publication(push=True, push_timeout=60)


def test_no_cache_is_no_option():
    for builder in (BUILDX, BUILT_IN, LEGACY):
        assert Publication(cache_from=(), cache_to=()).cache_options(builder) == []


def test_buildx_takes_all():
    options = Publication(cache_from=(IMAGE, STORED), cache_to=(STORED, "type=gha")).cache_options(BUILDX)
    assert options == ["--cache-from", IMAGE, "--cache-from", STORED, "--cache-to", STORED, "--cache-to", "type=gha"]


def test_images_are_taken_by_every_builder():
    for builder in (BUILT_IN, LEGACY):
        assert Publication(cache_from=(IMAGE,), cache_to=()).cache_options(builder) == ["--cache-from", IMAGE]


def test_inline_cache_of_the_built_in_buildkit():
    assert Publication(cache_from=(), cache_to=("type=inline",)).cache_options(BUILT_IN) == [
        "--build-arg",
        "BUILDKIT_INLINE_CACHE=1",
    ]


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
        Publication(cache_from=cache_from, cache_to=cache_to).cache_options(builder)
