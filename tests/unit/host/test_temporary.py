import os
import tempfile

import pytest

from utils.host.temporary import temporary_files_in


@pytest.mark.parametrize("set_before", [True, False])
def test_temporary_files_are_below_the_tree_and_removed_afterwards(tmp_path, monkeypatch, set_before):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    if not set_before:
        monkeypatch.delenv("TMPDIR")
    before = os.environ.get("TMPDIR"), tempfile.gettempdir()
    with temporary_files_in(tmp_path):
        assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(tmp_path / "tmp")
        tempfile.mkdtemp()
    assert (os.environ.get("TMPDIR"), tempfile.gettempdir()) == before
    assert list(tmp_path.iterdir()) == []
