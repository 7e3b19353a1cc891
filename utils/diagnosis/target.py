"""A served model under test, and text that its answers must not contain."""

import http.client
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.supervisor.release import release_named

GOOD = "I would like my money back"
# A stack trace, a path, a key of shared memory.
LEAK = re.compile(r"Traceback|File \"|\.py\b|/(?:opt|tmp|usr|work|home|dev|models|root)/|triton_[0-9a-f]{8}")
ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", errors="replace")

    @property
    def error(self) -> str:
        """The error message."""
        return str(json.loads(self.body)["error"])

    @property
    def outputs(self) -> dict[str, Any]:
        """The values of each output by name."""
        return {output["name"]: output["data"] for output in json.loads(self.body)["outputs"]}


def infer_body(texts: Sequence[str] = (GOOD,), **changes: Any) -> bytes:
    """The documented request; `changes` replace members of its tensor."""
    tensor = {"name": "text_input", "shape": [len(texts), 1], "datatype": "BYTES", "data": list(texts), **changes}
    return json.dumps({"inputs": [tensor]}).encode()


def binary_body(*values: bytes, shape: Sequence[int] | None = None) -> tuple[dict[str, str], bytes]:
    """(headers, body) of the binary form of an inference request."""
    raw = b"".join(len(value).to_bytes(4, "little") + value for value in values)
    tensor = {"name": "text_input", "shape": shape or [len(values), 1], "datatype": "BYTES"}
    head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(raw)}}]}).encode()
    return {"Inference-Header-Content-Length": str(len(head))}, head + raw


@dataclass
class Target:
    """`address` is host:port of the HTTP endpoint; `model` the served model's name."""

    address: str
    model: str

    def connect(self, timeout: float = ANSWER_SECONDS) -> http.client.HTTPConnection:
        """http.client does not use the proxies in the environment, unlike urllib."""
        host, port = self.address.rsplit(":", 1)
        return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)

    def send(
        self, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Reply:
        """Sends one request on its own connection."""
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.read())
        finally:
            connection.close()

    def infer(self, body: bytes | str, headers: Mapping[str, str] | None = None, version: str = "") -> Reply:
        """Sends an inference request."""
        return self.send(f"/v2/models/{self.model}{version}/infer", body, headers)

    @property
    def release(self) -> str:
        """The server's release, "YY.MM": some messages depend on it."""
        return str(release_named(json.loads(self.send("/v2", method="GET").body)["version"]))

    def generate(self, value: object) -> Reply:
        """Sends a text to /generate."""
        return self.send(f"/v2/models/{self.model}/generate", json.dumps({"text_input": value}))

    def is_ready(self) -> bool:
        """True when /v2/health/ready returns 200."""
        try:
            return self.send("/v2/health/ready", method="GET").status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
