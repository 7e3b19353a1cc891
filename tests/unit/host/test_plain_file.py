"""Devices and pipes are refused before they are read: reading may never end."""

import os
from pathlib import Path

import pytest

from utils.host.plain_file import read_plain


def test_a_file_and_a_link_to_a_file_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_plain(tmp_path / "link") == b"content"


def test_a_pipe_and_a_device_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="a device or a pipe"):
            read_plain(path)


def test_a_folder_and_a_missing_file_raise_their_own_errors(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_plain(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_plain(tmp_path / "nothing")
