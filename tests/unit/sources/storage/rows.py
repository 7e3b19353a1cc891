"""The table of storages for test_faults.py: a working server for each, in front of which the test puts a FaultyProxy.

To add a storage, add a Row to ROWS: a function that serves a model folder with the storage's protocol on loopback, the
requests that return files, and the variables of the client. test_faults.py then runs every fault of FAULTS for it. A
fault that the protocol cannot have is in `impossible`, with the reason. Faults that only one protocol has are tested in
the file of the storage.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from tests.certificates import Authority
from tests.loopback import azure_server, faulty, gcs_emulator
from tests.loopback.clearml_server import ACCESS_KEY, SECRET_KEY, ClearmlServer, zipped
from tests.loopback.https_files import FileServer
from tests.loopback.hub import HubServer

CHANGED = "changed after the revision was resolved"
UNTRUSTED = "certificate that is not trusted"
# CHANGED is the last: the content stays changed.
FAULTS = (*faulty.OF_THE_SERVER, *faulty.OF_FILES, faulty.SLOW, UNTRUSTED, CHANGED)
TOKEN = "hf_TheTokenThatMustNeverBePrinted"
SIGNATURE = "the-signature-in-the-address"
MODEL = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, kw_only=True)
class Served:
    """A working server. `address` is that of the proxy before it.

    `reference(address)`: what a user writes. `variables(address)`: the environment of the client. `change()` gives the
    reference another content. `certificate`: certificate and key of a proxy with TLS.
    """

    url: str
    reference: Callable[[str], str]
    variables: Callable[[str], Mapping[str, str]]
    change: Callable[[], object] = lambda: None
    certificate: tuple[Path, Path] | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A storage in the matrix.

    `serve(model folder, empty folder)`: the server, as a context manager. `files`: matches path and query of requests
    for the content of a file. `secrets`: what no message may contain; the server repeats them. `impatience`: Python
    statements that make the client's own waits short. `impossible`: {fault: reason}. `left_to_the_limit`:
    {fault: reason} of those that only --fetch-timeout ends. `words`: {fault: a part of the expected message}.
    `authority`: the variable that names a private authority. `for_tls`: statements as `impatience` for its test.
    """

    serve: Callable[[Path, Path], contextlib.AbstractContextManager[Served]]
    files: str
    secrets: tuple[str, ...]
    impatience: str
    impossible: Mapping[str, str] = field(default_factory=dict)
    left_to_the_limit: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    authority: str = "SSL_CERT_FILE"
    for_tls: str = ""


@contextlib.contextmanager
def hub(model: Path, folder: Path) -> Iterator[Served]:
    """A Hugging Face hub."""
    with HubServer({"user/name": model}) as server:
        variables = server.environment(folder / "cache") | {"HF_TOKEN": TOKEN, "TRITON_FACTORY_NO_CACHE": "1"}
        yield Served(
            url=server.url,
            reference=lambda _: "hf:user/name",
            variables=lambda address: variables | {"HF_ENDPOINT": address},
        )


@contextlib.contextmanager
def clearml(model: Path, folder: Path) -> Iterator[Served]:
    """A ClearML server: API and files."""
    copy = folder / "served"
    shutil.copytree(model, copy)
    with ClearmlServer({MODEL: copy}) as server:
        variables = server.environment()
        yield Served(
            url=server.url,
            reference=lambda _: f"clearml:{MODEL}",
            variables=lambda address: {name: value.replace(server.url, address) for name, value in variables.items()},
        )


@contextlib.contextmanager
def s3(model: Path, _: Path) -> Iterator[Served]:
    """Moto's S3. It accepts every key; the real one's refusal is the status 403."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    variables = {
        "AWS_ACCESS_KEY_ID": "loopback-key-id",
        "AWS_SECRET_ACCESS_KEY": "loopback-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    keys = {"aws_access_key_id": "loopback-key-id", "aws_secret_access_key": "loopback-secret-key"}
    client: Any = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="faults")
    for path in model.iterdir():
        if path.is_file():
            client.put_object(Bucket="faults", Key=f"team/topics/{path.name}", Body=path.read_bytes())
    yield Served(
        url=url,
        reference=lambda _: "s3://faults/team/topics",
        variables=lambda address: variables | {"AWS_ENDPOINT_URL": address},
        change=lambda: client.put_object(Bucket="faults", Key="team/topics/config.json", Body=b"{}"),
    )
    server.stop()


@contextlib.contextmanager
def gs(model: Path, folder: Path) -> Iterator[Served]:
    """The emulator of Google Cloud Storage, with a token of a service account."""
    with gcs_emulator.serving(_objects(model)) as url, gcs_emulator.TokenServer() as tokens:
        key_file = tokens.key_file(folder)
        yield Served(
            url=url,
            reference=lambda _: f"gs:{gcs_emulator.BUCKET}/team/topics",
            variables=lambda address: {
                "STORAGE_EMULATOR_HOST": address,
                "GOOGLE_APPLICATION_CREDENTIALS": str(key_file),
            },
            change=lambda: gcs_emulator.upload(url, "team/topics/config.json", b"{}"),
        )


@contextlib.contextmanager
def az(model: Path, _: Path) -> Iterator[Served]:
    """Azure Blob Storage with an account key."""
    with azure_server.AzureServer(_objects(model)) as server:
        yield Served(
            url=server.url,
            reference=lambda _: f"az:{azure_server.CONTAINER}/team/topics",
            variables=lambda address: {"AZURE_STORAGE_CONNECTION_STRING": server.connection_string(address)},
            change=lambda: server.blobs.update({"team/topics/config.json": b"{}"}),
        )


@contextlib.contextmanager
def https(model: Path, folder: Path) -> Iterator[Served]:
    """A server of one archive, with TLS; the authority of its certificate is in SSL_CERT_FILE."""
    archive = zipped(model)
    authority = Authority(folder / "authority")
    with FileServer({"/topics.zip": archive}) as server:
        yield Served(
            url=server.url,
            reference=lambda address: f"{address}/topics.zip?sig={SIGNATURE}#sha256={sha256(archive).hexdigest()}",
            variables=lambda _: {"SSL_CERT_FILE": str(authority.folder / "ca.pem")},
            change=lambda: server.contents.update({"/topics.zip": archive + b"more"}),
            certificate=authority.sign("server"),
        )


def _objects(model: Path) -> dict[str, bytes]:
    return {f"team/topics/{path.name}": path.read_bytes() for path in model.iterdir() if path.is_file()}


ROWS = {
    "hf": Row(
        serve=hub,
        files=r"/user/name/resolve/.*",
        secrets=(TOKEN,),
        impatience="""
import time
import huggingface_hub.constants
from utils.sources.storage import hf
time.sleep = lambda seconds: None
huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT = 1.0
hf.TIMEOUT = 1.0
""",
        impossible={
            CHANGED: "the revision is a commit; its files never change",
            "changed byte": "the client compares lengths only",
        },
        words={
            "unreachable": "cannot be reached for hf:user/name; check the network, HTTPS_PROXY and HF_ENDPOINT",
            "hang": "did not answer in time for hf:user/name",
            "401": "refuses hf:user/name (401); set HF_TOKEN to a valid token that can read it (HF_TOKEN was refused",
            "403": "refuses hf:user/name (403); set HF_TOKEN",
            "429": "limits the rate of requests (429) for hf:user/name",
            "500": "failed with status 500 for hf:user/name",
            "other content": "for hf:user/name is not a hub's",
            "lost connection for files": "cannot be reached for hf:user/name",
            "hang for files": "did not answer in time for hf:user/name",
            "half a file": "was lost while downloading a file of hf:user/name; run",
            "short file": "was lost while downloading a file of hf:user/name; run",
        },
    ),
    "clearml": Row(
        serve=clearml,
        files=r"/files/.*",
        secrets=(SECRET_KEY, ACCESS_KEY),
        impatience="""
from utils.sources.storage import clearml, clearml_api
clearml._FIRST_BYTE_SECONDS = 1.0
clearml_api._TIMEOUT = (1.0, 1.0)
""",
        left_to_the_limit={
            "lost connection for files": "the SDK repeats the download for minutes",
            "hang for files": "the SDK repeats the download for minutes",
        },
        impossible={CHANGED: "the revision is the id of a model, whose file the server does not replace"},
        words={
            "unreachable": "the ClearML server http://127.0.0.1",
            "401": "refuses the ClearML keys; check CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY",
            "other content": "is not a ClearML API server; set CLEARML_API_HOST",
            "500": "failed (Failed getting token (error 500",
            "half a file": f"the file of model {MODEL!r} cannot be downloaded",
            "changed byte": f"the archive of clearml:{MODEL} is damaged",
        },
    ),
    "s3": Row(
        serve=s3,
        files=r"/faults/team/[^?]*(\?.*)?",
        secrets=("loopback-key-id", "loopback-secret-key"),
        impatience="""
from utils.sources.storage import s3
s3._CONFIGURATION = {"connect_timeout": 1, "read_timeout": 1, "retries": {"total_max_attempts": 1}}
""",
        words={
            "unreachable": "cannot be reached (EndpointConnectionError); check AWS_ENDPOINT_URL",
            "403": "s3:faults/team/topics cannot be read with these AWS credentials",
            CHANGED: "s3:faults/team/topics changed during the download",
        },
    ),
    "gs": Row(
        serve=gs,
        files=r"/download/.*|.*[?&]alt=media.*",
        secrets=(gcs_emulator.TOKEN,),
        impatience="""
from utils.sources.storage import gs
gs._TIMEOUT = (1.0, 1.0)
gs._RETRY_SECONDS = 0.5
""",
        words={
            "unreachable": "Google Cloud Storage cannot be reached for gs:models/team/topics",
            "401": "cannot be read with these Google credentials (401)",
            "403": "cannot be read with these Google credentials (403)",
            "500": "Google Cloud Storage failed with status 500 for gs:models/team/topics",
            faulty.GATEWAY: "the answer for gs:models/team/topics is not that of Google Cloud Storage",
            "changed byte": "does not have the checksum of the stored object",
            CHANGED: "gs:models/team/topics changed during the download",
        },
    ),
    "az": Row(
        serve=az,
        files=r"/loopback/models/team/[^?]*",
        secrets=(azure_server.KEY,),
        impatience="""
from utils.sources.storage import az
az._TIMEOUT = {"connection_timeout": 1, "read_timeout": 1}
az._SECONDS_BEFORE_RETRY = 0
""",
        words={
            "unreachable": "Azure Blob Storage cannot be reached for az:models/team/topics",
            "401": "cannot be read with these Azure credentials (401)",
            "403": "cannot be read with these Azure credentials (403)",
            "500": "Azure Blob Storage failed with status 500 for az:models/team/topics",
            "changed byte": "of az:models/team/topics is not the stored object",
            CHANGED: "az:models/team/topics changed during the download",
        },
    ),
    "https": Row(
        serve=https,
        files=r"/topics\.zip.*",
        secrets=(SIGNATURE,),
        impatience="""
from utils.sources.storage import https
https._TIMEOUT = (1.0, 1.0)
""",
        words={
            "unreachable": "topics.zip cannot be reached, or the connection was lost",
            "hang": "topics.zip does not answer in time",
            "403": "topics.zip cannot be read without a login (403)",
            "half a file": "topics.zip was not received whole: the connection was lost",
            "short file": "topics.zip has the digest sha256=",
            "changed byte": "topics.zip has the digest sha256=",
            CHANGED: "topics.zip has the digest sha256=",
        },
    ),
}
