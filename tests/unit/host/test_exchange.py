import errno

import pytest

from utils.host import exchange as module
from utils.host.exchange import exchange, put_back


@pytest.fixture(params=[True, False], ids=["in one step", "by way of a third"])
def folders(request, tmp_path, monkeypatch):
    if not request.param:
        monkeypatch.setattr(module, "_in_one_step", lambda folder, destination: False)
    for name in ("new", "old", "aside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    (tmp_path / "aside/aside").unlink()
    return tmp_path


def test_two_folders_are_exchanged(folders):
    exchange(folders / "new", folders / "old", aside=folders / "aside")
    assert (folders / "old" / "new").exists()
    assert (folders / "new" / "old").exists()
    assert list((folders / "aside").iterdir()) == []


def test_a_failed_exchange_changes_nothing(folders):
    with pytest.raises(OSError) as refusal:
        exchange(folders / "no such", folders / "old", aside=folders / "aside")
    assert refusal.value.errno == errno.ENOENT
    assert (folders / "old" / "old").exists()


def test_an_interrupted_exchange_is_restored(tmp_path):
    left, place = tmp_path / "left", tmp_path / "place"
    left.mkdir()
    (left / ".belongs-to").write_text(str(place))
    assert put_back(left)
    assert list(place.iterdir()) == []


def test_a_replaced_folder_is_not_restored(tmp_path):
    left, place = tmp_path / "left", tmp_path / "place"
    left.mkdir()
    place.mkdir()
    (left / ".belongs-to").write_text(str(place))
    assert not put_back(left)
    assert not put_back(place)
    assert left.is_dir()
