"""Rows of the table of rows.py for registries of models: oci:, git:, mlflow:, wandb:."""

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.loopback import artifacts, git_server
from tests.loopback.git_server import GitServer
from tests.loopback.mlflow_server import log_model, running_mlflow, transformers_layout
from tests.loopback.registry import PASSWORD, USER, running_registry
from tests.loopback.wandb_server import KEY, WandbServer
from tests.unit.sources.storage.rows import CHANGED, UNTRUSTED, Row, Served

MLFLOW_TOKEN = "a-token-of-mlflow-never-printed"
COMMIT = "the revision is a commit; its files never change"


def _docker_config(folder: Path, address: str) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {urlsplit(address).netloc: {"auth": auth}}}))
    return {"DOCKER_CONFIG": str(folder)}


@contextlib.contextmanager
def oci(model: Path, folder: Path) -> Iterator[Served]:
    """docker-registry with a login, and a ModelPack."""
    with running_registry(folder / "registry") as registry:
        artifacts.push(artifacts.PUSHED["ModelPack in tars"], model, registry.host, "team/topics:v1")
        yield Served(
            url=f"http://{registry.host}",
            reference=lambda address: f"oci:{urlsplit(address).netloc}/team/topics:v1",
            variables=lambda address: _docker_config(folder / "docker", address),
        )


def _git_config(folder: Path, address: str) -> dict[str, str]:
    logins = folder / "logins"
    logins.write_text(address.replace("//", f"//{git_server.USER}:{git_server.PASSWORD}@") + "\n")
    helper = {"GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": f"store --file={logins}"}
    return {"GIT_CONFIG_COUNT": "1", **helper}


@contextlib.contextmanager
def git(model: Path, folder: Path) -> Iterator[Served]:
    """git http-backend and LFS, with a login."""
    with GitServer(folder / "served", {"team/topics": model}) as server:
        yield Served(
            url=server.url,
            reference=lambda address: f"git:{address}/team/topics@v1",
            variables=lambda address: _git_config(folder, address),
        )


@contextlib.contextmanager
def mlflow(model: Path, folder: Path) -> Iterator[Served]:
    """MLflow's own server; it accepts every token."""
    with running_mlflow(folder / "server") as url:
        log_model(url, transformers_layout(model, folder / "logged"))
        yield Served(
            url=url,
            reference=lambda _: "mlflow:models:/topics@champion",
            variables=lambda address: {"MLFLOW_TRACKING_URI": address, "MLFLOW_TRACKING_TOKEN": MLFLOW_TOKEN},
        )


@contextlib.contextmanager
def wandb(model: Path, folder: Path) -> Iterator[Served]:
    """The queries of Weights & Biases that the client sends."""
    del folder
    with WandbServer({"team/topics/model": model}) as server:
        yield Served(
            url=server.url,
            reference=lambda _: "wandb:team/topics/model:best",
            variables=lambda address: server.environment() | {"WANDB_BASE_URL": address},
        )


ROWS = {
    "oci": Row(
        serve=oci,
        files=r"/v2/team/topics/blobs/.*",
        secrets=(PASSWORD,),
        impatience="""
from utils.registry.registry import Registry
Registry.__init__.__kwdefaults__["seconds"] = 1.0
""",
        impossible={CHANGED: "the revision is the digest of the manifest; its layers never change"},
        # The certificates of registries on this machine are not checked.
        for_tls="from utils.registry import registry; registry.is_loopback = lambda reference: False",
        words={
            "unreachable": "does not answer",
            "401": "docker login",
            "403": "docker login",
            "changed byte": "but its content has the digest",
        },
    ),
    "git": Row(
        serve=git,
        files=r"/lfs/[0-9a-f]{64}",
        secrets=(git_server.PASSWORD,),
        impatience="""
from utils.sources.storage import git_client
git_client._SETTINGS |= {"http.lowSpeedTime": "1", "lfs.activitytimeout": "1", "lfs.transfer.maxretries": "1"}
""",
        impossible={CHANGED: COMMIT},
        authority="GIT_SSL_CAINFO",
        words={
            UNTRUSTED: "its certificate is not trusted; set GIT_SSL_CAINFO, or http.sslCAInfo of git, to the file",
            "unreachable": "its server cannot be reached",
            "401": "git is not allowed to read it",
            "403": "git is not allowed to read it",
            "500": "its server failed",
            "hang": "its server does not answer",
            "changed byte": "the content of a file is not the one that the repository's digest names",
        },
    ),
    "mlflow": Row(
        serve=mlflow,
        files=r"/api/2.0/mlflow-artifacts/artifacts/.*",
        secrets=(MLFLOW_TOKEN,),
        impatience="""
from utils.sources.storage import mlflow
mlflow.SETTINGS |= {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
""",
        impossible={
            CHANGED: "the revision is a version; MLflow gives new files a new version",
            "changed byte": "MLflow keeps no digests of files; sizes are compared",
        },
        words={
            "unreachable": "does not answer for mlflow:models:/topics@champion",
            "401": "refuses mlflow:models:/topics@champion (401); set MLFLOW_TRACKING_TOKEN",
            "403": "refuses mlflow:models:/topics@champion (403); set MLFLOW_TRACKING_TOKEN",
            "403 for files": "refuses mlflow:models:/topics@champion (403); set MLFLOW_TRACKING_TOKEN",
            "429": "limits the rate of requests (429)",
            "500": "failed with status 500",
            "other content": "is not an MLflow server's",
        },
    ),
    "wandb": Row(
        serve=wandb,
        files=r"/artifacts/.*",
        secrets=(KEY,),
        impatience="""
from utils.sources.storage import wandb
wandb.TIMEOUT = (1.0, 1.0)
""",
        impossible={CHANGED: "the revision is a version, whose files never change"},
        words={
            "unreachable": "does not answer for wandb:team/topics/model:best",
            "401": "refuses wandb:team/topics/model:best; set WANDB_API_KEY",
            "403": "refuses wandb:team/topics/model:best; set WANDB_API_KEY",
            "other content": "is not that of Weights & Biases; check WANDB_BASE_URL",
            "half a file": "was lost while downloading a file of wandb:team/topics/model:best",
            "short file": "is not the one that its digest",
            "changed byte": "is not the one that its digest",
        },
    ),
}
