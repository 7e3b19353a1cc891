"""Registries that refuse, hang, lie or break off: one sentence, in bounded time. A real one is behind the proxy."""

import json
import re
import socket
import time

import pytest

from tests.loopback.faulty_registry import OTHER, FaultyRegistry
from tests.loopback.registry import running_registry
from utils.host.errors import ReleaseError
from utils.registry.registry import IMAGE_INDEX, Registry, image_index
from utils.release.push import set_tag


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def proxy(real):
    with FaultyRegistry(real.host) as proxy:
        yield proxy


@pytest.fixture
def registry(proxy):
    return Registry(f"{proxy.repository}:v1", seconds=1)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("401", r"HOST does not accept a push to HOST/team/topics \(401 UNAUTHORIZED: as .*\); .*`docker login HOST`"),
        ("403", r"HOST does not accept a push to HOST/team/topics \(403 DENIED: as .*\); run `docker login HOST`"),
        ("500", r"does not accept a push .*\(500 UNKNOWN: as the test wants\)"),
        ("no registry", r"HOST is not a registry: it has no /v2/ API; check the host in the image.s name"),
        ("hang", r"registry HOST does not answer \(no answer in 1 s\); check the host .* and the network"),
    ],
)
def test_push_is_refused_before_anything_slow(proxy, registry, fault, message):
    proxy.fault = fault
    started = time.monotonic()
    with pytest.raises(ReleaseError, match=message.replace("HOST", re.escape(proxy.host))):
        registry.require_push()
    assert time.monotonic() - started < 8


def test_manifest_that_is_not_of_its_digest_is_not_used(proxy, registry):
    stored = registry.put_manifest(image_index([]), "lies")
    proxy.fault = "wrong manifest"
    for reference in ("lies", stored.digest):
        with pytest.raises(ReleaseError, match=f"as {stored.digest}, but its content has the digest sha256:"):
            registry.manifest(reference)


def test_wrong_digest_of_a_stored_manifest_ends_the_push(proxy, registry):
    proxy.fault = "wrong digest"
    with pytest.raises(ReleaseError, match=rf"as {OTHER}, but its content has the digest sha256:"):
        registry.put_manifest(image_index([]))


@pytest.mark.parametrize("fault", ["half a manifest", "drop"])
def test_broken_connection_sets_no_tag(real, proxy, registry, fault):
    stored = registry.put_manifest(image_index([]))
    proxy.fault = fault
    before = real.tags()
    with pytest.raises(ReleaseError, match=f"registry {proxy.host} does not answer"):
        if fault == "drop":
            set_tag(registry, stored, move=False)
        else:
            registry.manifest(stored.digest)
    assert real.tags() == before


def test_tag_that_another_moved_at_once_is_reported(registry, monkeypatch):
    """Two builds push the same tag: what counts is what the registry has at the end."""
    first = registry.put_manifest(image_index([]), "v1")
    other = registry.put_manifest({**image_index([]), "annotations": {"a": "b"}})
    put = registry.put_manifest
    monkeypatch.setattr(registry, "put_manifest", lambda *arguments: (put(*arguments), put(first.content, "v1")))
    with pytest.raises(ReleaseError, match=f"set to {other.digest}, but the registry answers {first.digest}"):
        set_tag(registry, other, move=True)


def test_manifest_that_is_no_json_object(proxy, registry, monkeypatch):
    registry.put_manifest(image_index([]), "words")
    monkeypatch.setattr(registry._client, "read", lambda *_: b"[]")
    monkeypatch.setattr(registry, "_require_digest", lambda *_: None)
    with pytest.raises(ReleaseError, match="a manifest that is not a JSON object"):
        registry.manifest("words")


def test_registry_elsewhere_is_never_asked_in_plain_http(proxy, monkeypatch):
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **named: look_up("127.0.0.1", *rest, **named))
    host = proxy.host.replace("127.0.0.1", "registry.example.org")
    with pytest.raises(ReleaseError, match=f"registry {host} "):
        Registry(f"{host}/team/topics", seconds=1).require_push()
    assert proxy.requests == []
    Registry(f"{host}/team/topics", seconds=1, insecure=True).require_push()
    assert proxy.requests


def test_index_is_stored_as_one(registry):
    stored = registry.put_manifest(image_index([]))
    assert registry.manifest(stored.digest).media_type == IMAGE_INDEX
    assert json.loads(stored.content)["manifests"] == []
