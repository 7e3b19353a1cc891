"""Links and clones of files. Both results of ioctl_ficlone are tested, whatever the file system of the tests."""

import errno
import os
import shutil

import pytest

from utils.host import link_or_copy


@pytest.fixture(params=["as it is", "sharing blocks", "without hard links"])
def file_system(request, monkeypatch):
    """The file system of the tests; with calls replaced, one that shares blocks and one without hard links."""
    if request.param == "sharing blocks":

        def ficlone(write, number, read):
            assert number == 0x40049409
            os.write(write.fileno(), os.pread(read, 1 << 20, 0))

        monkeypatch.setattr(link_or_copy.fcntl, "ioctl", ficlone)
        monkeypatch.setattr(shutil, "copy2", None)
    if request.param == "without hard links":

        def no_links(*_):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(link_or_copy.os, "link", no_links)
    return request.param


@pytest.fixture
def original(tmp_path):
    (tmp_path / "artifacts/a").mkdir(parents=True)
    (tmp_path / "repository").mkdir()
    file = tmp_path / "artifacts/a/model.onnx_data"
    file.write_bytes(b"weights")
    file.chmod(0o640)
    os.utime(file, ns=(1, 1_234_567_890))
    return file


def test_a_clone_is_a_separate_file(file_system, original, tmp_path):
    link_or_copy.clone(original, tmp_path / "clone")
    clone = (tmp_path / "clone").stat()
    assert (tmp_path / "clone").read_bytes() == b"weights"
    assert (clone.st_nlink, clone.st_mode & 0o777, clone.st_mtime_ns) == (1, 0o640, 1_234_567_890)
    assert original.stat().st_nlink == 1


def test_a_missing_source_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        link_or_copy.link(tmp_path / "nowhere", tmp_path / "there")
