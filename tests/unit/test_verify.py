import json
import time

import pytest

from tests.loopback.registry import running_registry
from tests.unit.release.releases import documents, make_key, push_image
from utils.host.errors import ReleaseError, UsageError
from utils.registry.registry import Registry
from utils.release.attach import attach
from utils.verify import parse_arguments, run


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return make_key(tmp_path_factory.mktemp("keys") / "sign.pub")


@pytest.fixture(scope="module")
def digest(server, key):
    registry = Registry(server.repository)
    digest = push_image(registry, "topics", "v1").digest
    attach(registry, digest, documents(registry, digest), key.private)
    return digest


def verify(*arguments):
    return run(parse_arguments(list(arguments)))


def test_the_verified_digest_is_the_result_and_each_check_a_line(server, digest, key, capsys):
    verified = f"{server.repository}@{digest}"
    assert verify(f"{server.repository}:v1", "--key", key.public_file) == verified
    lines = capsys.readouterr().err.splitlines()
    assert [line.strip().split(":")[0] for line in lines[:-1]] == [
        "signature",
        "SBOM",
        "provenance",
        "manifests",
        "blobs",
    ]
    assert verify(verified, "--key", key.public_file) == verified


def test_json(server, digest, key):
    result = json.loads(verify(f"{server.repository}:v1", "--key", key.public_file, "--json"))
    assert result["verified"] == f"{server.repository}@{digest}"
    assert set(result["checks"]) == {"signature", "SBOM", "provenance", "manifests", "blobs"}


def test_another_key(server, digest, tmp_path):
    other = make_key(tmp_path / "other.pub")
    with pytest.raises(ReleaseError, match=f"{digest} does not match") as error:
        verify(f"{server.repository}:v1", "--key", other.public_file)
    assert error.value.exit_code == 9


def test_no_such_image(server, key):
    with pytest.raises(ReleaseError, match=r"has no .*:v0"):
        verify(f"{server.repository}:v0", "--key", key.public_file)


def test_no_registry(key):
    started = time.monotonic()
    with pytest.raises(ReleaseError, match=r"127\.0\.0\.1:9 does not answer"):
        verify("127.0.0.1:9/topics:v1", "--key", key.public_file)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "REF"),
        (["registry.example.org/topics:v1"], "openssl pkey -in sign.key -pubout"),
        (["Registry/topics:v1", "--key", "sign.pub"], "REF 'Registry/topics:v1'"),
        (["topics:v1", "--key", "sign.pub"], "names no registry"),
        (["registry.example.org/topics@sha256:12", "--key", "sign.pub"], "name@digest"),
        (["registry.example.org/topics:v1", "--key", "/no/such.pub"], "cannot be read"),
        (["registry.example.org/topics:v1", "--key", "sign.pub", "--deep"], "--deep"),
    ],
)
def test_usage_errors_come_before_the_registry_is_asked(arguments, words):
    with pytest.raises(UsageError, match=words):
        verify(*arguments)


def test_a_registry_without_tls_needs_insecure(server, digest, key, monkeypatch):
    """The registry is on loopback, where TLS is never required: the test takes that exception away."""
    monkeypatch.setattr("utils.registry.registry.is_loopback", lambda _: False)
    with pytest.raises(ReleaseError, match="without TLS"):
        verify(f"{server.repository}:v1", "--key", key.public_file)
    verified = f"{server.repository}@{digest}"
    assert verify(f"{server.repository}:v1", "--key", key.public_file, "--insecure") == verified
