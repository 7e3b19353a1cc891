import json
import os
import threading

import pytest

from utils import cleanup
from utils.convert import cache as graph_cache
from utils.host import cache_folder
from utils.host.errors import UsageError

KEY, OTHER = "a" * 32, "b" * 32


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of this test's own; its folder of graphs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("TRITON_FACTORY_CACHE_GB", "1")
    return tmp_path / "xdg/triton-image-factory/graphs"


def keep(folder, key=KEY, content=b"graph", checked=5):
    folder.mkdir(exist_ok=True)
    files = [folder / "model.onnx", folder / "model.onnx_data", folder / "tokenizer.json"]
    for file in files:
        file.write_bytes(content + file.name.encode())
    graph_cache.keep(key, files, {"checked": checked, "said": "сказано"})


def test_what_is_kept_is_taken(tmp_path):
    keep(tmp_path / "tree")
    content = graph_cache.take(KEY, tmp_path / "other", checked=5)
    assert content and (content["checked"], content["said"]) == (5, "сказано")
    names = sorted(file.name for file in (tmp_path / "other").iterdir())
    assert names == ["model.onnx", "model.onnx_data", "tokenizer.json"]
    assert (tmp_path / "other/model.onnx").read_bytes() == b"graphmodel.onnx"
    assert graph_cache.take(OTHER, tmp_path / "none", checked=1) is None


@pytest.mark.parametrize(("checked", "found"), [(1, True), (3, True), (5, False)])
def test_larger_batches_than_were_checked_are_none_of_it(tmp_path, checked, found):
    keep(tmp_path / "tree", checked=3)
    assert (graph_cache.find(KEY, checked=checked) is not None) == found


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "model.onnx").write_bytes(b"graphmodel.ONNX"),
        lambda entry: (entry / "model.onnx_data").unlink(),
        lambda entry: (entry / "conversion.json").write_text("{"),
        lambda entry: (entry / "conversion.json").write_text("[]"),
        lambda entry: (entry / "conversion.json").write_text('{"checked": "many"}'),
    ],
)
def test_a_damaged_entry_is_noticed_and_goes(tmp_path, cache, capsys, damage):
    keep(tmp_path / "tree")
    damage(cache / KEY)
    assert graph_cache.take(KEY, tmp_path / "other", checked=5) is None
    assert "the model is converted again" in capsys.readouterr().err
    assert not (cache / KEY).exists() and not (tmp_path / "other").exists()
    keep(tmp_path / "tree")
    assert graph_cache.take(KEY, tmp_path / "other", checked=5)


def test_the_longest_unused_goes_first(tmp_path, cache, monkeypatch):
    for place, key in enumerate((KEY, OTHER)):
        keep(tmp_path / "tree", key, content=b"x" * 1000)
        os.utime(cache / key / "conversion.json", (place, place))
    graph_cache.take(KEY, tmp_path / "other", checked=1)  # a use: now OTHER is the older one
    monkeypatch.setenv("TRITON_FACTORY_CACHE_GB", str(9000 / 1e9))
    keep(tmp_path / "tree", "c" * 32, content=b"x" * 1000)
    assert sorted(path.name for path in cache.iterdir()) == [KEY, "c" * 32]


def test_a_bound_of_nothing_keeps_nothing(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("TRITON_FACTORY_CACHE_GB", "0")
    keep(tmp_path / "tree")
    assert not cache.exists()


def test_many_at_once(tmp_path, cache):
    """Each finds and takes a whole entry, whoever keeps one beside it."""
    keep(tmp_path / "first")
    taken = []

    def work(number):
        for turn in range(40):
            keep(tmp_path / f"tree{number}-{turn}")
            taken.append(graph_cache.take(KEY, tmp_path / f"other{number}-{turn}", checked=5))
            taken.append(graph_cache.find(KEY, checked=5))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(taken) == 8 * 40 * 2 and all(taken)
    assert [path.name for path in cache.iterdir()] == [KEY]


def test_what_a_killed_build_left_goes(tmp_path, cache):
    (cache / f"{cache_folder.PARTIAL}dead").mkdir(parents=True)
    keep(tmp_path / "tree")
    assert [path.name for path in cache.iterdir()] == [KEY]


def test_a_cache_that_cannot_be_written_to_fails_no_build(tmp_path, cache, capsys):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file in its place")
    keep(tmp_path / "tree")
    assert "is not cached" in capsys.readouterr().err


def test_the_key_tells_everything_apart():
    values = {"model": ["sha256:1"], "settings": {"a": 1}}
    keys = [
        graph_cache.key_of(each) for each in (values, {**values, "model": ["sha256:2"]}, {**values, "settings": {}})
    ]
    assert len(set(keys)) == 3
    assert graph_cache.key_of(dict(reversed(values.items()))) == keys[0]


def test_cleanup_empties_it(tmp_path, cache):
    keep(tmp_path / "tree")
    assert cleanup.clean(["--cache"]).startswith("removed ")
    assert list(cache.iterdir()) == []
    with pytest.raises(UsageError, match="--cache"):
        cleanup.clean(["--cache", "topics"])


def test_an_entry_is_json_of_one_form(tmp_path, cache):
    keep(tmp_path / "tree")
    content = json.loads((cache / KEY / "conversion.json").read_text())
    assert sorted(content["files"]) == ["model.onnx", "model.onnx_data", "tokenizer.json"]
