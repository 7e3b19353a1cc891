"""Runs the example of docs/extending.md.

`wandb` itself is faked here; test_wandb.py has the real client. So this proves the document's contract (one file, one
row, the child process, the time limit) and that the example keeps it, but not that Weights & Biases answers so.
"""

import re
import sys

import pytest

from utils import ROOT
from utils.host.environments import Environment
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, STORAGES, WEIGHTS, Row, bounded, parse_reference

DOCUMENT = ROOT / "docs" / "extending.md"
FAKE = '''
import os, types
from pathlib import Path

class Error(Exception):
    """The root of the real package's errors."""

class CommError(Error):
    pass

errors = types.SimpleNamespace(Error=Error, CommError=CommError)
FILES = {"config.json": "{}", "vocab.txt": "a", "model.safetensors": "weights", "logs/run.json": "{}"}

class Entry:
    def __init__(self, name):
        self.name = name

    def download(self, root):
        Path(root, self.name).write_text(FILES[self.name])

class Artifact:
    version = "v3"
    manifest = types.SimpleNamespace(entries=FILES)
    get_entry = staticmethod(Entry)

class Api:
    def __init__(self, timeout):
        print("a line that a library prints")

    def artifact(self, name):
        if name not in ("team/project/model:latest", "team/project/model:best", "team/project/model:v3"):
            raise CommError("not found, key " + os.environ.get("WANDB_API_KEY", ""))
        return Artifact()
'''


@pytest.fixture(autouse=True)
def registered(tmp_path, monkeypatch):
    """Adds the storage: one file, one row."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    code = next(block for block in blocks if "def resolve" in block)
    (tmp_path / "storage_of_the_document.py").write_text(code)
    (tmp_path / "wandb.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(STORAGES, "wandb", Row(module="storage_of_the_document"))


@pytest.mark.parametrize("locator", ["team/project/model", "team/project/model:best"])
def test_the_example_resolves_and_fetches(locator, tmp_path, capfd):
    reference = parse_reference(f"wandb:{locator}")
    revision = bounded.resolve(reference, limit=20)
    assert revision == "v3"
    small = bounded.fetch(reference, revision, METADATA, tmp_path / "out", limit=20)
    assert sorted(path.name for path in small.path.iterdir()) == ["config.json", "vocab.txt"]
    bounded.fetch(reference, revision, WEIGHTS, tmp_path / "out", limit=20)
    assert (small.path / "model.safetensors").read_text() == "weights"
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("locator", "expected"),
    [
        ("team/project/other", "wandb:team/project/other cannot be read (CommError); check its name, WANDB_API_KEY"),
        ("model", "'wandb:model' is no artifact; write wandb:entity/project/name:alias"),
    ],
)
def test_its_errors_are_one_sentence(locator, expected, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a-secret-key")
    with pytest.raises(SourceError) as caught:
        bounded.resolve(parse_reference(f"wandb:{locator}"), limit=20)
    assert expected in str(caught.value)
    assert "a-secret-key" not in str(caught.value)


def test_a_missing_package_names_its_installation(tmp_path):
    (tmp_path / "wandb.py").write_text("raise ImportError")
    with pytest.raises(SourceError, match="pip install wandb"):
        bounded.resolve(parse_reference("wandb:team/project/model"), limit=20)


def test_the_rows_of_the_document_and_the_code_are_alike():
    assert '"wandb": Row(module="utils.sources.storage.wandb", environment="wandb")' in DOCUMENT.read_text()
    assert STORAGES["s3"] == Row(module="utils.sources.storage.s3", environment=None)
    assert "wandb" not in sys.modules


def test_the_environment_of_the_document_is_one(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names = {"Environment": Environment, "PLACE": tmp_path, "ROOT": ROOT}
    exec(next(block for block in blocks if block.startswith("WANDB = Environment(")), names)
    assert names["WANDB"].python == tmp_path / ".venv-wandb/bin/python"
    assert names["WANDB"].name == "wandb"
