"""Google Cloud Storage on loopback: the package gcp-storage-emulator, and the server of tokens for a service account.

The emulator accepts every token. So it hides refusals of the real service, which are a status 401 or 403.
"""

import contextlib
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.loopback.serving import Answering, LoopbackServer
from utils.host import environment
from utils.host.environments import ENVIRONMENTS

BUCKET = "models"
TOKEN = "loopback-access-token-never-printed"
START_SECONDS = 30.0


@contextlib.contextmanager
def serving(objects: Mapping[str, bytes]) -> Iterator[str]:
    """The address of an emulator with these objects ({name: content}) in the bucket BUCKET."""
    python = environment.ensure(ENVIRONMENTS["gcs-emulator"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port), "--in-memory", "--quiet", "--default-bucket", BUCKET]
    command = [str(python), "-m", "gcp_storage_emulator", "start", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        for name, content in objects.items():
            upload(url, name, content)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/storage/v1/b/{BUCKET}", timeout=5).close()
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, "the emulator does not start"
            time.sleep(0.1)
        else:
            return


def upload(url: str, name: str, content: bytes) -> None:
    """Stores an object, or another content of it."""
    target = f"{url}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={quote(name, safe='')}"
    urllib.request.urlopen(urllib.request.Request(target, data=content, method="POST"), timeout=10).close()


class _Tokens(Answering):
    def answer(self) -> None:
        self.send_json({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})


class TokenServer(LoopbackServer):
    """Exchanges the signed request of a service account for TOKEN."""

    answering = _Tokens

    def key_file(self, folder: Path) -> Path:
        """The key file of a service account, for GOOGLE_APPLICATION_CREDENTIALS."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        text = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        account = {
            "type": "service_account",
            "project_id": "loopback",
            "private_key_id": "1",
            "private_key": key.private_bytes(*text).decode(),
            "client_email": "builder@loopback.example",
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
        file = folder / "account.json"
        file.write_text(json.dumps(account))
        return file
