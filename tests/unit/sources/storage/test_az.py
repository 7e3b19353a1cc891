"""The client of Azure Blob Storage, in its environment, against a server on loopback.

What that server hides is in tests/loopback/azure_server.py. Faults of every server are in test_faults.py.
"""

import base64
import re

import pytest

from tests.loopback.azure_server import KEY, AzureServer
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, WEIGHTS, bounded, parse_reference

TEXT = "az://models/team/topics"
LIMIT = 30.0


@pytest.fixture
def server(monkeypatch):
    blobs = {
        "team/topics/config.json": b"{}",
        "team/topics/vocab.txt": b"[PAD]\n",
        "team/topics/empty.txt": b"",
        "team/topics/model.safetensors": bytes(range(256)) * 40,
        "team/topics/1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
        "team/topics/onnx/config.json": b"{}",
        "team/topics-2/config.json": b"{}",
    }
    with AzureServer(blobs) as running:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", running.connection_string(running.url))
        yield running


def _resolve(text=TEXT):
    return bounded.resolve(parse_reference(text), limit=LIMIT)


def _refusal(text=TEXT):
    with pytest.raises(SourceError) as caught:
        _resolve(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_revision_follows_the_blobs(server):
    revision = _resolve()
    assert re.fullmatch(r"etag:[0-9a-f]{16}", revision)
    assert len([path for _, path, _ in server.requests if "comp=list" in path]) == 4, "seven blobs in pages of two"
    server.blobs |= {"team/topics/onnx/config.json": b"[]", "team/topics-2/config.json": b"[]"}
    assert _resolve("az:models/team/topics/") == revision, "other blobs do not count"
    server.blobs["team/topics/vocab.txt"] = b"[UNK]\n"
    assert _resolve() != revision


def test_only_matching_blobs_are_fetched(server, tmp_path):
    reference, revision = parse_reference(TEXT), _resolve()
    folder = bounded.fetch(reference, revision, METADATA, tmp_path / "out", limit=LIMIT).path
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"config.json", "vocab.txt", "empty.txt", "1_Pooling/config.json"}
    bounded.fetch(reference, revision, WEIGHTS, tmp_path / "out", limit=LIMIT)
    assert (folder / "model.safetensors").read_bytes() == server.blobs["team/topics/model.safetensors"]


@pytest.mark.parametrize("locator", ["models/nothing/here", "none/x"])
def test_a_missing_container_or_prefix(server, locator):
    assert f"az:{locator} does not exist" in _refusal(f"az:{locator}")


def test_a_wrong_key(server, monkeypatch):
    wrong = base64.b64encode(b"another key").decode()
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection_string(server.url, wrong))
    message = _refusal()
    assert "az:models/team/topics cannot be read with these Azure credentials (403); set AZURE_STORAGE_KEY" in message
    assert wrong not in message


def test_a_connection_string_that_is_none(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "copied badly")
    assert "AZURE_STORAGE_CONNECTION_STRING or the key for az:models/team/topics is not valid" in _refusal()


def test_no_account():
    assert "no Azure account for az:models/team/topics; set AZURE_STORAGE_ACCOUNT, or AZURE" in _refusal()


def test_an_account_that_cannot_be_reached(environment, closed_port):
    """Through a proxy that does not run: the address of an account is a public one."""
    environment({"AZURE_STORAGE_ACCOUNT": "someone", "AZURE_STORAGE_KEY": KEY})
    environment({"HTTPS_PROXY": f"http://127.0.0.1:{closed_port}"})
    message = _refusal()
    assert "Azure Blob Storage cannot be reached for az:models/team/topics" in message
    assert "check AZURE_STORAGE_ACCOUNT, the network and HTTPS_PROXY" in message


def test_no_login(environment):
    """The default credential finds none; `az` is a program that is not logged in here."""
    environment({"AZURE_STORAGE_ACCOUNT": "someone", "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential", "PATH": "/none"})
    message = _refusal()
    assert "az:models/team/topics cannot be read with these Azure credentials (ClientAuthenticationError)" in message
    assert "or run `az login`" in message
