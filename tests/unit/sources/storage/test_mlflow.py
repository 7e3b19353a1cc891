"""mlflow: by the real client against the real server (tests/loopback/mlflow_server.py)."""

import shutil

import pytest

from tests.loopback.mlflow_server import log_model, running_mlflow, transformers_layout
from tests.loopback.serving import Answering, LoopbackServer
from tests.unit.sources.storage.calls import fetch, refusal, resolve
from utils.sources.storage import METADATA, SAFE_WEIGHTS


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture(autouse=True)
def _client(url, environment, tmp_path, monkeypatch):
    environment({"MLFLOW_TRACKING_URI": url, "NO_PROXY": "127.0.0.1"})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_a_model_of_the_transformers_flavour(url, model_folder, tmp_path):
    """Model and tokenizer in one folder; a newer version under the alias does not change what is fetched."""
    layout = transformers_layout(model_folder, tmp_path / "layout")
    _, first = log_model(url, layout, "flavour")
    assert (
        resolve("mlflow:models:/flavour@champion") == resolve(f"mlflow:models:/flavour/{first}") == f"version {first}"
    )
    (layout / "model/config.json").write_text("{}")
    _, second = log_model(url, layout, "flavour")
    assert resolve("mlflow:models:/flavour@champion") == f"version {second}" != f"version {first}"
    reference = "mlflow:models:/flavour@champion"
    assert sorted(fetch(reference, f"version {first}", METADATA, tmp_path / "out")) == ["config.json", "vocab.txt"]
    files = fetch(reference, f"version {first}", METADATA + SAFE_WEIGHTS, tmp_path / "out")
    assert sorted(files) == ["config.json", "model.safetensors", "vocab.txt"]
    assert all(path.read_bytes() == (model_folder / name).read_bytes() for name, path in files.items())
    assert not list((tmp_path / "here").iterdir()), "the client writes nothing into the current folder"


def test_files_of_a_run(url, model_folder, tmp_path):
    """Any folder of artifacts, at any depth; a change is noticed by names and sizes, which are all that MLflow has."""
    shutil.copytree(model_folder, tmp_path / "logged/deep/model")
    run, _ = log_model(url, tmp_path / "logged", "run")
    reference = f"mlflow:runs:/{run}/model"
    revision = resolve(reference)
    assert revision.startswith("files:") and len(revision) == 22
    files = fetch(reference, revision, METADATA + SAFE_WEIGHTS, tmp_path / "out")
    assert sorted(files) == ["config.json", "model.safetensors", "vocab.txt"]
    assert "changed after it was resolved" in refusal(fetch, reference, "files:0", METADATA, tmp_path / "other")


@pytest.mark.parametrize(
    ("flavours", "words"),
    [
        ("flavors:\n  transformers:\n    source_model_name: team/topics\n", "was logged without weights"),
        ("flavors: [\n", "MLmodel of mlflow:models:/odd@champion cannot be read"),
    ],
)
def test_odd_flavours_are_refused(flavours, words, url, model_folder, tmp_path):
    layout = transformers_layout(model_folder, tmp_path / "layout")
    (layout / "MLmodel").write_text(flavours)
    log_model(url, layout, "odd")
    reference = "mlflow:models:/odd@champion"
    assert words in refusal(fetch, reference, resolve(reference), METADATA, tmp_path / "out")


@pytest.mark.parametrize("text", ["models:/none@champion", "models:/none/3", f"runs:/{'0' * 32}/model"])
def test_what_the_server_does_not_have(text):
    assert f"has no mlflow:{text}; check its name" in refusal(resolve, f"mlflow:{text}")


@pytest.mark.parametrize(
    "locator", ["topics", "models:/topics", "models:/topics/Production", "runs:/1/model", "s3://a/b"]
)
def test_what_is_no_reference(locator):
    assert "is no model; write mlflow:models:/name@alias" in refusal(resolve, f"mlflow:{locator}")


class _Gate(Answering):
    """What MLflow's basic authentication answers without a login."""

    def answer(self):
        self.send_content(b"You are not authenticated.", int(self.loopback.fault), {"Content-Type": "text/plain"})


class Gate(LoopbackServer):
    answering = _Gate


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_login_is_missing(status, environment):
    with Gate(status) as gate:
        environment({"MLFLOW_TRACKING_URI": gate.url})
        message = refusal(resolve, "mlflow:models:/topics@champion")
    assert f"refuses mlflow:models:/topics@champion ({status}); set MLFLOW_TRACKING_TOKEN" in message


def test_no_server_is_set(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert "MLFLOW_TRACKING_URI is not set" in refusal(resolve, "mlflow:models:/topics@champion")
