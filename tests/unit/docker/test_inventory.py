"""Reading what deploy/inventory.py prints; tests/image/release/test_sbom.py reads that of a real image."""

import json
from types import SimpleNamespace

import pytest

from utils.docker.inventory import OwnedFile, parse_inventory, read_inventory
from utils.host.errors import ReleaseError

LIBSSL = {
    "kind": "deb", "name": "libssl3", "version": "3.0", "architecture": "amd64", "distribution": "debian-12",
    "source": "openssl", "source_version": "3.0", "from": "triton",
    "files": [{"path": "/opt/tritonserver/lib/libssl.so.3", "copied_from": "/usr/lib/x86_64-linux-gnu/libssl.so.3"}],
}  # fmt: skip
TRITON = {
    "kind": "triton",
    "name": "tritonserver",
    "version": "2.51.0",
    "files": [{"path": "/opt/tritonserver/bin/tritonserver", "sha256": "0" * 64}],
}


def test_owners_are_read():
    libssl, triton = parse_inventory(json.dumps([LIBSSL, TRITON]))
    assert (libssl.kind, libssl.name, libssl.version, libssl.copied) == ("deb", "libssl3", "3.0", True)
    assert libssl.package["source"] == "openssl"
    assert libssl.files == (
        OwnedFile(path="/opt/tritonserver/lib/libssl.so.3", copied_from="/usr/lib/x86_64-linux-gnu/libssl.so.3"),
    )
    assert (triton.copied, triton.package) == (False, {})


def test_an_image_that_cannot_be_listed_is_a_fault_of_the_release():
    run = lambda *_, **__: SimpleNamespace(returncode=125, stdout="", stderr="no such image\n")  # noqa: E731
    with pytest.raises(ReleaseError, match=r"libraries of the image sha256:1 cannot be listed \(no such image\)"):
        read_inventory(SimpleNamespace(client=SimpleNamespace(run=run)), "sha256:1")
