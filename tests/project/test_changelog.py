"""CHANGELOG.md and the fragments in changes/, by the real towncrier."""

import re
import shutil

import pytest

from utils import ROOT
from utils.host.installed import VERSION

TYPES = ("added", "changed", "fixed", "removed", "security")
FRAGMENT = re.compile(rf"(\d+|\+[a-z0-9-]+)\.({'|'.join(TYPES)})\.md")


def test_the_fragments_of_the_checkout_become_a_release(tool):
    done = tool("towncrier", "build", "--draft", "--version", "99.0.0")
    assert done.returncode == 0, done.stderr
    assert "## 99.0.0" in done.stdout


def test_every_fragment_has_a_name_that_towncrier_reads():
    names = [path.name for path in (ROOT / "changes").iterdir() if path.name != "README.md"]
    assert [name for name in names if not FRAGMENT.fullmatch(name)] == []


@pytest.mark.parametrize("kind", TYPES)
def test_a_release_moves_a_fragment_to_the_changelog(tool, tmp_path, kind):
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "changes").mkdir()
    (tmp_path / f"changes/+something.{kind}.md").write_text("The builder does something new.")
    done = tool("towncrier", "build", "--yes", "--version", "99.0.0", "--date", "2030-01-01", "--dir", tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "CHANGELOG.md").read_text()
    expected = f"## 99.0.0 (2030-01-01)\n\n### {kind.capitalize()}\n\n- The builder does something new.\n"
    assert expected in text
    assert text.index("## 99.0.0") < text.index(f"## {VERSION}")
    assert list((tmp_path / "changes").iterdir()) == []
