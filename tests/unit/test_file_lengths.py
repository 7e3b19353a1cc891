"""The house rule for sizes: no Python file has more than 300 lines, tests included."""

from utils import ROOT

LIMIT = 300


def test_no_python_file_is_longer_than_the_limit():
    folders = [
        path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "build"
    ]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(files) > 300, "the files were not found"
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert not {name: lines for name, lines in lengths.items() if lines > LIMIT}
