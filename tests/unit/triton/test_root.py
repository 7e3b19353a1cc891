"""utils.triton.root on a folder made here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils import ROOT
from utils.host.errors import UsageError
from utils.triton import root as triton_root

PARTS = ("bin/tritonserver", "backends/python/triton_python_backend_stub", "backends/pytorch/libtriton_pytorch.so")


@pytest.fixture
def root(tmp_path):
    """As NVIDIA's, with a stub for Python 3.12, without the ONNX Runtime backend and without caches."""
    folder = tmp_path / "opt/tritonserver"
    for part in PARTS:
        (folder / part).parent.mkdir(parents=True)
        (folder / part).write_bytes(b"\x7fELF libpython3.12.so.1.0\0")
        (folder / part).chmod(0o755)
    (folder / "lib").mkdir()
    return folder


def test_the_root_is_linked_and_completed_with_backends(root, tmp_path):
    place = tmp_path / "serving/tritonserver-root"
    triton_root.lay_out(root, "3.12", place)
    for part in PARTS:
        assert (place / part).resolve() == root / part
    assert (place / "backends/onnxruntime/model.py").is_file()
    assert not (place / "backends/pytorch/model.py").exists(), "its own backend stays"
    assert (place / "lib").resolve() == root / "lib"
    assert (place / "caches").is_dir()
    assert sorted(path.name for path in (root / "backends").iterdir()) == ["python", "pytorch"]


def test_another_root_replaces_the_links(root, tmp_path):
    place = tmp_path / "serving/tritonserver-root"
    triton_root.lay_out(root, "3.12", place)
    inode = place.stat().st_ino
    triton_root.lay_out(root, "3.12", place)
    assert place.stat().st_ino == inode
    other = root.rename(tmp_path / "other")
    triton_root.lay_out(other, "3.12", place)
    assert (place / PARTS[0]).resolve() == other / PARTS[0]


def test_a_stub_for_another_python_is_refused(root, tmp_path):
    with pytest.raises(UsageError, match=r"is for Python 3.12 and the environment's Python is 3.11; put Python 3.12"):
        triton_root.lay_out(root, "3.11", tmp_path / "serving/tritonserver-root")


@pytest.mark.parametrize("part", PARTS[:2])
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.chmod(0o644)], ids=["absent", "not executable"])
def test_a_folder_without_triton_is_refused(root, part, harm):
    harm(root / part)
    environment = {**os.environ, "TRITON_ROOT": str(root)}
    command = [sys.executable, ROOT / "utils/launch.py", "utils.triton.root"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"TRITON_ROOT is {str(root)!r}" in done.stderr and part in done.stderr


def test_without_the_variable_there_is_no_root(monkeypatch):
    monkeypatch.setenv("TRITON_ROOT", "")
    assert triton_root.selected() is None
