import os
import subprocess
import sys
import tempfile

import pytest

from utils.host.temporary import private_folder, temporary_files_in


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


def test_a_private_folder_is_removed_with_its_contents(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with private_folder() as folder:
        assert folder.parent == tmp_path
        (folder / "inner").mkdir()
        (folder / "inner" / "file").touch()
        with private_folder() as another:
            assert another != folder
        assert (folder / "inner" / "file").exists(), "the folder of a process that runs stays"
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path, monkeypatch):
    program = "import os; from utils.host.temporary import private_folder as one\nwith one(): os.kill(os.getpid(), 9)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    (tmp_path / "triton-image-of-another").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with private_folder():
        assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["triton-image-of-another"]
