"""git's programs and the servers of storages, in reach or not."""

import pytest

from tests.loopback.serving import Answering, LoopbackServer
from utils.diagnosis import storages
from utils.diagnosis.findings import OK, WARNING


class _Status(Answering):
    def answer(self):
        self.send_json([], int(self.loopback.fault or 200))


class Server(LoopbackServer):
    answering = _Status


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for _, variable, _ in storages._SERVERS.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_the_programs_of_git(monkeypatch, tmp_path):
    assert storages.git().status == OK
    monkeypatch.setenv("PATH", str(tmp_path))
    found = storages.git()
    assert found.status == WARNING and "git and git-lfs not found" in found.found


@pytest.mark.parametrize(
    ("check", "variable", "path"),
    [
        ("MLflow", "MLFLOW_TRACKING_URI", "/health"),
        ("Weights & Biases", "WANDB_BASE_URL", "/healthz"),
        ("S3", "AWS_ENDPOINT_URL", "/"),
        ("Google Cloud Storage emulator", "STORAGE_EMULATOR_HOST", "/"),
    ],
)
@pytest.mark.parametrize(("fault", "status"), [(None, OK), ("401", OK), ("503", WARNING)])
def test_a_server_in_a_variable(check, variable, path, fault, status, monkeypatch):
    with Server(fault) as server:
        monkeypatch.setenv(variable, f"{server.url}/")
        assert dict(storages.checks())[check]().status == status
        assert server.requests[0][1] == path


def test_an_azure_account_that_cannot_be_reached(monkeypatch):
    """Through a proxy that does not run: the address of an account is a public one."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "someone")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    found = dict(storages.checks())["Azure Blob Storage"]()
    assert found.status == WARNING
    assert "https://someone.blob.core.windows.net/ does not respond" in found.found
    assert "check AZURE_STORAGE_ACCOUNT" in found.advice


def test_only_addresses_are_checked(monkeypatch):
    assert [check for check, _ in storages.checks()] == ["git"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
    assert [check for check, _ in storages.checks()] == ["git"]


def test_no_server_and_a_password_in_the_address(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    found = dict(storages.checks())["MLflow"]()
    assert found.status == WARNING and "mlflow: references cannot be fetched" in found.found
    assert "secret" not in str(found)
