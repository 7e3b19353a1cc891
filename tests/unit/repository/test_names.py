import pytest

from utils.host.errors import UsageError
from utils.repository import names

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "name", ["a", "7", "topics", "a.b", "a_b", "a__b", "a-b", "a---b", "a1.b2_c3-d4", "x" * 128, "ensemble_model"]
)
def test_valid_model_names(name):
    assert names.check_model_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "A", "Topics", "a b", "a..b", "a___b", "a._b", "-a", "a-", ".a", "a.", "_a", "a_", "..", ".", "a/b",
        "../a", "/a", "a:b", "a\n", "a\nb", "é", "а", "x" * 129, "$(id)", "a;b", "a'b", 'a"b', ".work", ".unfinished",
    ],
)  # fmt: skip
def test_invalid_model_names_are_refused_with_the_grammar(name):
    with pytest.raises(UsageError) as refusal:
        names.check_model_name(name)
    assert refusal.value.exit_code == 2
    assert f"MODEL_NAME {name!r}" in str(refusal.value)
    assert "at most 128 lower-case letters and digits" in str(refusal.value)


@pytest.mark.parametrize("name", sorted(names.internal_model_names()))
def test_names_of_steps_are_reserved(name):
    with pytest.raises(UsageError, match=rf"MODEL_NAME '{name}' is the name of a step"):
        names.check_model_name(name)


def test_documented_steps_are_reserved():
    assert names.internal_model_names() >= {"text_preprocessing", "model_onnx", "post_processing"}


@pytest.mark.parametrize("tag", ["latest", "v1", "1.0", "_", "A-Z_.-", "x" * 128, "2026-11-21"])
def test_valid_tags(tag):
    assert names.check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", ".", "..", ".a", "-a", "a b", "a/b", "a:b", "a+b", "x" * 129, "v1\n", "é"])
def test_invalid_tags_are_refused_with_the_grammar(tag):
    with pytest.raises(UsageError) as refusal:
        names.check_tag(tag)
    assert refusal.value.exit_code == 2
    assert f"TAG {tag!r}" in str(refusal.value)
    assert "at most 128 letters, digits" in str(refusal.value)


@pytest.mark.parametrize(
    "repository",
    [
        "topics", "team/topics", "registry:5000/team/topics", "registry.example.org/topics", "localhost/topics",
        "127.0.0.1:5000/topics", "[::1]:5000/topics", "a/b/c/d", "x" * 255, "Registry.example.org/topics",
        "Registry:5000/topics", "localhost:5000/topics", "a.b-c/topics", "a__b/c--d", "f" * 63,
    ],
)  # fmt: skip
def test_valid_repositories(repository):
    assert names.check_repository(repository) == repository


@pytest.mark.parametrize(
    "repository",
    ["", "Topics", "team/Topics", "topics:v1", f"topics@{DIGEST}", "/topics", "topics/", "a//b", "-a/b", "a b", "a\n",
     "http://registry/topics", "registry:port/topics", "x" * 256, "Team/topics", "LOCALHOST/topics", "-a.b/topics",
     "registry:123456/topics", "registry:/topics", "a___b/c", "a._b", "a.", "[::1/topics", "f" * 64, "user@host/a",
     "a\\b", "./a", "~/a", "a/./b", "a/../b", "тема", "a/b:v1/c"],
)  # fmt: skip
def test_invalid_repositories_are_refused_with_a_hint_to_the_tag(repository):
    with pytest.raises(UsageError) as refusal:
        names.check_repository(repository)
    assert f"--image {repository!r}" in str(refusal.value)
    assert "TAG" in str(refusal.value)


@pytest.mark.parametrize(
    "reference",
    ["triton", "triton:26.06-py3", f"triton@{DIGEST}", f"registry:5000/team/triton:v1@{DIGEST}", "a/b:C.d_e-f"],
)
def test_valid_base_images(reference):
    assert names.check_image("--base-image", reference) == reference


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "Triton",
        "triton:",
        "triton:-a",
        "triton@sha256:abc",
        "a b",
        "--privileged",
        "a\nRUN id",
        "$A",
        "f" * 64,
        f"{'x' * 256}:v1",
        "triton:" + "x" * 129,
        "triton@md5:" + "0" * 32,
        f"triton@{DIGEST.upper()}",
        f"triton@{DIGEST}0",
        f"triton@{DIGEST}:v1",
        "Team/triton",
    ],
)
@pytest.mark.parametrize("option", ["--base-image", "--slim-image"])
def test_invalid_base_images_are_refused_with_their_option(option, reference):
    with pytest.raises(UsageError) as refusal:
        names.check_image(option, reference)
    assert f"{option} {reference!r} is not an image reference" in str(refusal.value)
    assert "name[:tag] or name@digest" in str(refusal.value)
