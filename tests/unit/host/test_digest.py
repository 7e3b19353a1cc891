import hashlib
import os
from pathlib import Path

from utils.host import digest


def test_a_file_of_several_chunks_has_the_digest_of_its_bytes(tmp_path):
    content = os.urandom((1 << 20) + 5)
    (tmp_path / "file").write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    assert digest.of_file(tmp_path / "file") == digest.of_bytes(content) == expected


def test_a_digest_of_files_depends_on_names_and_contents(tmp_path):
    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).write_text(text)
    found = {
        digest.of_files({name: tmp_path / file}) for name, file in (("x", "a"), ("x", "b"), ("y", "a"), ("x", "c"))
    }
    assert len(found) == 3


def test_a_name_that_is_not_utf_8_counts(tmp_path):
    name = os.fsdecode(b"\xff")
    (tmp_path / "file").touch()
    assert digest.of_files({name: Path(tmp_path / "file")}) != digest.of_files({"x": tmp_path / "file"})
