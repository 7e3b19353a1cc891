"""Every test here starts without this machine's tokens, keys, caches and configuration files."""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

FOREIGN = (
    *("HF_", "HUGGING", "CLEARML_", "TRAINS_", "AWS_", "GOOGLE_", "STORAGE_", "AZURE_", "MLFLOW_", "WANDB_"),
    *("TRITON_FACTORY_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_", "CURL_CA_", "SSL_CERT_"),
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.upper().startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A model folder for storages: metadata, safe and pickled weights, and an unrelated folder."""
    folder = tmp_path / "model"
    (folder / "onnx").mkdir(parents=True)
    (folder / "config.json").write_text('{"id2label": {"0": "no", "1": "yes"}}')
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    (folder / "README.md").write_text("# A model\n")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 40)
    (folder / "pytorch_model.bin").write_bytes(b"pickled" * 1000)
    (folder / "onnx" / "config.json").write_text("{}")
    return folder


@pytest.fixture
def closed_port() -> int:
    """A port of 127.0.0.1 where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """`environment({...})` sets variables until the end of the test."""

    def update(variables: Mapping[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return update
