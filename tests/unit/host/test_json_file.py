import pytest

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json, read_json_object


def test_a_byte_order_mark_is_no_harm(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": "\xd0\xb4"}')
    assert read_json(tmp_path / "a.json", "save it") == {"a": "д"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not readable as JSON"),
        (b"[" * 100_000, "is not readable as JSON"),
        (b"1" * 5000, "is not readable as JSON"),
        (b'"caf\xe9"', "is not UTF-8 (byte 4)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_each_refusal_names_the_file(tmp_path, content, said):
    file = tmp_path / "a.json"
    file.write_bytes(content)
    with pytest.raises(SourceError) as refusal:
        read_json(file, "save it again")
    assert repr(str(file)) in str(refusal.value) and said in str(refusal.value)
    assert "git lfs" in said or str(refusal.value).endswith("; save it again")


def test_what_is_not_there_is_empty_and_what_is_no_object_is_not(tmp_path):
    assert read_json_object(tmp_path / "none.json", "save it") == {}
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(SourceError, match=r"list\.json' holds no JSON object; save it"):
        read_json_object(tmp_path / "list.json", "save it")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(SourceError, match=r"folder\.json' cannot be read \(Is a directory\); save it"):
        read_json_object(tmp_path / "folder.json", "save it")


def test_a_link_to_nowhere_is_not_the_same_as_nothing(tmp_path):
    assert not exists(tmp_path / "a")
    (tmp_path / "a").symlink_to("b")
    with pytest.raises(SourceError, match=r"is a link to 'b', which does not exist; copy the folder"):
        exists(tmp_path / "a")
    (tmp_path / "b").touch()
    assert exists(tmp_path / "a")
