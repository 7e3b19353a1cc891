"""The client of Google Cloud Storage, in its environment, against gcp-storage-emulator on loopback.

What the emulator hides is in tests/loopback/gcs_emulator.py. Faults of every server are in test_faults.py.
"""

import re

import pytest

from tests.loopback import gcs_emulator
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, WEIGHTS, bounded, parse_reference

TEXT = f"gs://{gcs_emulator.BUCKET}/team/topics"
LIMIT = 30.0


@pytest.fixture(scope="module")
def address():
    objects = {
        "team/topics/config.json": b"{}",
        "team/topics/vocab.txt": b"[PAD]\n",
        "team/topics/README.md": b"# A model\n",
        "team/topics/model.safetensors": bytes(range(256)) * 40,
        "team/topics/1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
        "team/topics/onnx/config.json": b"{}",
        "team/topics-2/config.json": b"{}",
        "graphs/detection.onnx": b"a graph",
    }
    with gcs_emulator.serving(objects) as url:
        yield url


@pytest.fixture(autouse=True)
def _emulator(address, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)


def _resolve(text=TEXT):
    return bounded.resolve(parse_reference(text), limit=LIMIT)


def _refusal(text):
    with pytest.raises(SourceError) as caught:
        _resolve(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_revision_follows_the_objects(address):
    revision = _resolve()
    assert re.fullmatch(r"etag:[0-9a-f]{16}", revision)
    gcs_emulator.upload(address, "team/topics/onnx/config.json", b'{"unread": 1}')
    gcs_emulator.upload(address, "team/topics-2/config.json", b'{"another": 1}')
    assert _resolve(f"gs:{gcs_emulator.BUCKET}/team/topics/") == revision, "other objects do not count"
    gcs_emulator.upload(address, "team/topics/vocab.txt", b"[UNK]\n")
    assert _resolve() != revision


def test_only_matching_objects_are_fetched(tmp_path):
    reference, revision = parse_reference(TEXT), _resolve()
    folder = bounded.fetch(reference, revision, METADATA, tmp_path / "out", limit=LIMIT).path
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"config.json", "vocab.txt", "1_Pooling/config.json"}
    bounded.fetch(reference, revision, WEIGHTS, tmp_path / "out", limit=LIMIT)
    assert (folder / "model.safetensors").read_bytes() == bytes(range(256)) * 40


def test_a_ready_graph_is_a_single_object(tmp_path):
    reference = parse_reference(f"gs:{gcs_emulator.BUCKET}/graphs/detection.onnx")
    revision = bounded.resolve(reference, limit=LIMIT)
    folder = bounded.fetch(reference, revision, ("*.onnx",), tmp_path / "out", limit=LIMIT).path
    assert (folder / "detection.onnx").read_bytes() == b"a graph"


@pytest.mark.parametrize("locator", [f"{gcs_emulator.BUCKET}/nothing/here", "no-such-bucket/x"])
def test_a_missing_bucket_or_prefix(locator):
    assert f"gs:{locator} does not exist" in _refusal(f"gs:{locator}")


def test_a_reference_without_a_bucket():
    assert "'gs:/' names no bucket; write gs:bucket/prefix" in _refusal("gs:/")


def test_a_key_file_that_does_not_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    message = _refusal(TEXT)
    assert f"no valid Google credentials for gs:{gcs_emulator.BUCKET}/team/topics (DefaultCredentialsError)" in message
    assert "gcloud auth application-default login" in message
