"""A valid model and tokenizer of a few bytes; each example damages a copy."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz import valid
from tests.fuzz.edge import tree
from tests.small_files import write_safetensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder, shared by all examples of a test; each restores its file."""
    model = tmp_path / "model"
    model.mkdir()
    for name, content in valid.JSON_FILES.items():
        (model / name).write_text(json.dumps(content), encoding="utf-8")
    (model / "vocab.txt").write_text(valid.VOCABULARY, encoding="utf-8")
    write_safetensors(model / "model.safetensors", valid.SHAPES)
    return model


OWN = ("TRITON_FACTORY_DEBUG", "TRITON_FACTORY_NO_CACHE")
SET_BY_SCIKIT_LEARN = ("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK")  # once, when it is imported


@pytest.fixture(autouse=True)
def _leaves_nothing(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No file in the temporary or the current folder, and unchanged signal handlers."""
    places = [tmp_path_factory.mktemp("temporary"), tmp_path_factory.mktemp("here")]
    monkeypatch.setenv("TMPDIR", str(places[0]))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("torch")))  # torch makes it when imported
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(places[1])
    monkeypatch.delenv("TRITON_FACTORY_DEBUG", raising=False)
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    settings = dict(os.environ)
    yield
    for number, action in kept.items():
        signal.signal(number, action)
    assert [tree(place) for place in places] == [[], []]
    assert {name for name in os.environ if name not in settings} <= {*OWN, *SET_BY_SCIKIT_LEARN}
    for name in ("TRITON_FACTORY_DEBUG", "TRITON_FACTORY_NO_CACHE"):
        os.environ.pop(name, None)
