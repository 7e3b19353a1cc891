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


def test_two_folders_change_places(folders):
    exchange(folders / "new", folders / "old", aside=folders / "aside")
    assert (folders / "old" / "new").exists()
    assert (folders / "new" / "old").exists()
    assert list((folders / "aside").iterdir()) == []


def test_if_it_fails_both_stand_where_they_stood(folders):
    with pytest.raises(OSError) as refusal:
        exchange(folders / "no such", folders / "old", aside=folders / "aside")
    assert refusal.value.errno == errno.ENOENT
    assert (folders / "old" / "old").exists()


def test_what_was_left_on_the_way_is_put_back(tmp_path):
    left, place = tmp_path / "left", tmp_path / "place"
    left.mkdir()
    (left / ".belongs-to").write_text(str(place))
    assert put_back(left)
    assert list(place.iterdir()) == []


def test_what_has_been_replaced_stays_out(tmp_path):
    left, place = tmp_path / "left", tmp_path / "place"
    left.mkdir()
    place.mkdir()
    (left / ".belongs-to").write_text(str(place))
    assert not put_back(left)
    assert not put_back(place)
    assert left.is_dir()
