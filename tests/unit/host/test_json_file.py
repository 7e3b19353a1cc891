import pytest

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json, read_json_object


def test_a_byte_order_mark_is_accepted(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": "\xd0\xb4"}')
    assert read_json(tmp_path / "a.json", "save it") == {"a": "д"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"1" * 5000, "is not valid JSON"),
        (b'"caf\xe9"', "is not UTF-8 (byte 4)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_each_refusal_names_the_file(tmp_path, content, expected):
    file = tmp_path / "a.json"
    file.write_bytes(content)
    with pytest.raises(SourceError) as refusal:
        read_json(file, "save it again")
    assert repr(str(file)) in str(refusal.value) and expected in str(refusal.value)
    assert "git lfs" in expected or str(refusal.value).endswith("; save it again")


def test_a_missing_file_is_empty_and_a_list_is_refused(tmp_path):
    assert read_json_object(tmp_path / "none.json", "save it") == {}
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(SourceError, match=r"list\.json'.*; save it"):
        read_json_object(tmp_path / "list.json", "save it")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(SourceError, match=r"folder\.json' cannot be read \(Is a directory\); save it"):
        read_json_object(tmp_path / "folder.json", "save it")


def test_a_broken_link_is_refused(tmp_path):
    assert not exists(tmp_path / "a")
    (tmp_path / "a").symlink_to("b")
    with pytest.raises(SourceError, match=r"link to 'b'"):
        exists(tmp_path / "a")
    (tmp_path / "b").touch()
    assert exists(tmp_path / "a")
