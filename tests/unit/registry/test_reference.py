import pytest

from utils.registry.reference import Reference, parse_reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "host", "name", "tag", "digest"),
    [
        ("topics", "", "topics", "", ""),
        ("team/topics:v1", "", "team/topics", "v1", ""),
        ("localhost/topics", "localhost", "topics", "", ""),
        ("registry.example.org/team/topics:v1", "registry.example.org", "team/topics", "v1", ""),
        ("registry:5000/topics", "registry:5000", "topics", "", ""),
        (f"127.0.0.1:5000/a/b/c:v1@{DIGEST}", "127.0.0.1:5000", "a/b/c", "v1", DIGEST),
        (f"[::1]:5000/topics@{DIGEST}", "[::1]:5000", "topics", "", DIGEST),
    ],
)
def test_parts(text, host, name, tag, digest):
    found = parse_reference(text)
    assert found == Reference(host=host, name=name, tag=tag, digest=digest)
    assert str(found) == text


def test_docker_hub_has_other_names_in_its_api_and_in_config_json():
    found = parse_reference("docker.io/topics:v1")
    assert (found.api_host, found.api_name) == ("registry-1.docker.io", "library/topics")
    assert found.credentials_key == "https://index.docker.io/v1/"
    assert parse_reference("docker.io/user/topics").api_name == "user/topics"


def test_tag_and_digest_replace_each_other():
    found = parse_reference("host:1/name:v1")
    assert str(found.by_digest(DIGEST)) == f"host:1/name@{DIGEST}"
    assert str(found.by_digest(DIGEST).by_tag("v2")) == "host:1/name:v2"
