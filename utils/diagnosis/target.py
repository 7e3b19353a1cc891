"""A served model that is sent requests, and what no answer of it may show."""

import http.client
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.supervisor.release import release_named

GOOD = "I would like my money back"
# A stack, a place in a file system, a key of shared memory.
LEAK = re.compile(r"Traceback|File \"|\.py\b|/(?:opt|tmp|usr|work|home|dev|models|root)/|triton_[0-9a-f]{8}")
ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body, whatever it holds."""
        return self.body.decode("utf-8", errors="replace")

    @property
    def error(self) -> str:
        """The sentence of a refusal."""
        return str(json.loads(self.body)["error"])

    @property
    def outputs(self) -> dict[str, Any]:
        """Output name to its values."""
        return {output["name"]: output["data"] for output in json.loads(self.body)["outputs"]}


def infer_body(texts: Sequence[str] = (GOOD,), **changes: Any) -> bytes:
    """The request of the documentation; `changes` replace members of its one tensor."""
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
    """`address` is the host:port that speaks HTTP; `model` the served model's name."""

    address: str
    model: str

    def connect(self, timeout: float = ANSWER_SECONDS) -> http.client.HTTPConnection:
        """http.client, because urllib would send this to the proxy of the environment."""
        host, port = self.address.rsplit(":", 1)
        return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)

    def ask(
        self, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Reply:
        """One request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.read())
        finally:
            connection.close()

    def infer(self, body: bytes | str, headers: Mapping[str, str] | None = None, version: str = "") -> Reply:
        """An inference request."""
        return self.ask(f"/v2/models/{self.model}{version}/infer", body, headers)

    @property
    def release(self) -> str:
        """The server's, "YY.MM": some of its sentences depend on it."""
        return str(release_named(json.loads(self.ask("/v2", method="GET").body)["version"]))

    def generate(self, value: object) -> Reply:
        """A text through /generate."""
        return self.ask(f"/v2/models/{self.model}/generate", json.dumps({"text_input": value}))

    def is_ready(self) -> bool:
        """Whether /v2/health/ready says so."""
        try:
            return self.ask("/v2/health/ready", method="GET").status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
