"""A served repository under fire: how to ask it, and what must hold after every case."""

import http.client
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from deploy.supervisor.known_faults import release_named

# Of tritonserver from PyPI, which docs/faults.md was written with.
PYPI_RELEASE = "24.10"
GOOD = "I would like my money back"
# What no answer may show: a stack, a place in a file system, a key of shared memory.
LEAK = re.compile(r"Traceback|File \"|\.py\b|/(?:opt|tmp|usr|work|home|dev|models|root)/|triton_[0-9a-f]{8}")


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes

    @property
    def text(self):
        return self.body.decode("utf-8", errors="replace")

    @property
    def error(self):
        return json.loads(self.body)["error"]

    @property
    def outputs(self):
        return {output["name"]: output["data"] for output in json.loads(self.body)["outputs"]}


def infer_body(texts=(GOOD,), **changes):
    """The request of the documentation; `changes` replace members of its one tensor."""
    tensor = {"name": "text_input", "shape": [len(texts), 1], "datatype": "BYTES", "data": list(texts), **changes}
    return json.dumps({"inputs": [tensor]}).encode()


def binary_body(*values, shape=None):
    """(headers, body) of the binary form of an inference request."""
    raw = b"".join(len(value).to_bytes(4, "little") + value for value in values)
    tensor = {"name": "text_input", "shape": shape or [len(values), 1], "datatype": "BYTES"}
    head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(raw)}}]}).encode()
    return {"Inference-Header-Content-Length": str(len(head))}, head + raw


@dataclass
class Target:
    """`server` is a LocalServer; `model` the served model's name."""

    server: object
    model: str
    before: bytes = b""
    family: dict = field(default_factory=dict)

    def __post_init__(self):
        self.before = self.infer(infer_body()).body
        self.family = family(self.server.pid)

    def connect(self, timeout=30):
        host, port = self.server.address.http.split(":")
        return http.client.HTTPConnection(host, int(port), timeout=timeout)

    def ask(self, path, body=None, headers=None, method="POST"):
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.read())
        finally:
            connection.close()

    def infer(self, body, headers=None, version=""):
        return self.ask(f"/v2/models/{self.model}{version}/infer", body, headers)

    @property
    def release(self):
        """The server's, "YY.MM": what some answers depend on."""
        return release_named(json.loads(self.ask("/v2", method="GET").body)["version"])

    def generate(self, value):
        return self.ask(f"/v2/models/{self.model}/generate", json.dumps({"text_input": value}))

    def assert_unharmed(self):
        assert self.ask("/v2/health/ready", method="GET").status == 200
        assert self.infer(infer_body()).body == self.before
        assert family(self.server.pid) == self.family


def family(pid):
    """{process id: its command} of a process and all below it."""
    found = {pid: Path(f"/proc/{pid}/comm").read_text().strip()}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found |= family(int(child))
    return found


def resident_megabytes(pids):
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) for status in statuses) / 1024
