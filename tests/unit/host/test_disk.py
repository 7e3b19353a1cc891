from types import SimpleNamespace

import pytest

from utils.host import disk
from utils.host.errors import ExportError, ImageError


@pytest.fixture
def free(monkeypatch):
    def set_free(count):
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=count))

    return set_free


def test_enough_room(tmp_path, free):
    free(disk.COPIES_IN_BUILD * 1000 + disk.BESIDES)
    disk.require_room(1000, tmp_path, None)


def test_earlier_versions_need_room_too(tmp_path, free):
    free(disk.COPIES_IN_BUILD * 1000 + disk.BESIDES + 499)
    disk.require_room(1000, tmp_path, None, kept=499)
    with pytest.raises(ExportError):
        disk.require_room(1000, tmp_path, None, kept=500)


def test_the_error_names_the_folder_and_both_sizes(tmp_path, free):
    free(disk.COPIES_IN_BUILD * 1000 + disk.BESIDES - 1)
    with pytest.raises(ExportError, match=r"200 MB.*200 MB") as raised:
        disk.require_room(1000, tmp_path, None)
    assert repr(str(tmp_path)) in str(raised.value)


def test_an_engine_on_the_same_disk_shares_its_space(tmp_path, free):
    free(2 * disk.BESIDES)
    (tmp_path / "engine").mkdir()
    with pytest.raises(ExportError):
        disk.require_room(1000, tmp_path, tmp_path / "engine")


def test_an_engine_on_another_disk_has_its_own_space(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "_by_device", dict)
    room = {tmp_path: 10**9, tmp_path / "engine": 1000}
    monkeypatch.setattr(disk, "free_bytes", room.__getitem__)
    with pytest.raises(ImageError, match="0 MB free"):
        disk.require_room(1000, tmp_path, tmp_path / "engine")


def test_a_missing_folder_has_no_room(tmp_path):
    assert disk.free_bytes(tmp_path / "nowhere") == 0


@pytest.mark.parametrize(("count", "expected"), [(1_234_000_000, "1.2 GB"), (34_000_000, "34 MB"), (0, "0 MB")])
def test_readable_sizes(count, expected):
    assert disk.gigabytes(count) == expected
