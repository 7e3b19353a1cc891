"""The house rule for sizes: no Python file has more than 300 lines, tests included."""

from utils import ROOT

LIMIT = 300
# Files that still break the rule. Remove each line when its file is short enough; never add one.
TOO_LONG = {"tests/unit/factory/test_plan.py", "tests/unit/options/test_build_spec.py"}


def test_no_python_file_is_longer_than_the_limit():
    folders = [
        path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "build"
    ]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(files) > 300, "the files were not found"
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    long = {name for name, lines in lengths.items() if lines > LIMIT}
    assert long == TOO_LONG, {name: lengths.get(name) for name in long ^ TOO_LONG}
