"""The inventory of a small root: of this machine's own dpkg, of wheels and of folders."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import inventory

ELF = b"\x7fELF rest"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "rootfs"
    for name, content, mode in (
        ("opt/tritonserver/lib/libssl.so.3", ELF, 0o644),
        ("opt/tritonserver/lib/libown.so", ELF, 0o644),
        ("opt/tritonserver/bin/tritonserver", ELF, 0o755),
        ("opt/tritonserver/bin/script", b"#!/bin/sh", 0o755),
        ("opt/hpcx/ucx/libucs.so.0.0.0", ELF, 0o644),
        ("usr/bin/env", ELF, 0o755),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
        (root / name).chmod(mode)
    (root / "opt/hpcx/ucx/libucs.so.0").symlink_to("libucs.so.0.0.0")
    return root


def listed(root, copies, capsys):
    inventory.main(str(root), str(copies))
    return {(each["kind"], each["name"]): each for each in json.loads(capsys.readouterr().out)}


def test_copied_files_belong_to_their_owner_in_this_system(root, tmp_path, capsys):
    """The owner of /usr/bin/env is coreutils, of which only /bin or /usr/bin may be in dpkg's list."""
    source = subprocess.run(["sh", "-c", "command -v ls"], capture_output=True, text=True).stdout.strip()
    (tmp_path / "copies").write_text(f"/opt/tritonserver/lib/libown.so\t{source}\n")
    found = listed(root, tmp_path / "copies", capsys)
    coreutils = found["deb", "coreutils"]
    assert coreutils["files"] == [
        {"path": "/opt/tritonserver/lib/libown.so", "copied_from": os.path.realpath(source)},
        {"path": "/usr/bin/env"},
    ]
    version = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", "coreutils"], capture_output=True)
    assert coreutils["version"] == version.stdout.decode()
    assert coreutils["distribution"] and coreutils["architecture"] and coreutils["source"] == "coreutils"


def test_other_files_belong_to_triton_or_to_their_folder(root, tmp_path, capsys):
    (tmp_path / "copies").write_text("")
    found = listed(root, tmp_path / "copies", capsys)
    triton = {each["path"] for each in found["triton", "tritonserver"]["files"]}
    assert triton == {f"/opt/tritonserver/{name}" for name in ("lib/libssl.so.3", "lib/libown.so", "bin/tritonserver")}
    [library] = found["folder", "/opt/hpcx"]["files"]
    assert library["path"] == "/opt/hpcx/ucx/libucs.so.0.0.0", "a link is another name of it"
    assert len(library["sha256"]) == 64


def test_a_system_without_dpkg_has_folders_only(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "copies").write_text("")
    assert set(listed(root, tmp_path / "copies", capsys)) == {
        ("folder", "/"), ("folder", "/opt/hpcx"), ("triton", "tritonserver")
    }  # fmt: skip


def test_a_wheel_owns_what_its_record_lists(tmp_path):
    record = tmp_path / "site/own_package-1.0.dist-info/RECORD"
    record.parent.mkdir(parents=True)
    record.write_text('own/_c.so,sha256=x,1\n"own.libs/lib,a.so",,\n../bin/own,,\n')
    wheel = {"kind": "pypi", "name": "own_package", "version": "1.0"}
    expected = [tmp_path / name for name in ("site/own/_c.so", "site/own.libs/lib,a.so", "bin/own")]
    assert inventory._wheels([record]) == dict.fromkeys(map(Path.resolve, expected), wheel)


def test_it_needs_the_standard_library_only():
    done = subprocess.run(
        [sys.executable, "-I", "-S", inventory.__file__, "/nowhere", "/dev/null"], capture_output=True
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
