"""Sends golden requests to the running server and compares the answers with the reference model's."""

import base64
import http.client
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .comparison import difference
from .triton_errors import NO_ROOM, TRY_LESS

if TYPE_CHECKING:
    from .agreement import Agreement

ROWS = 3
FORMATS = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b", "INT16": "h", "INT32": "i",
    "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
OVERLOADED = (429, 503)
# The id of these requests: the models do not count them (model_repository/shared/model_metrics.py).
REQUEST_ID = "triton-factory-canary"


class WrongAnswerError(Exception):
    """The server returned a wrong answer."""


class NoAnswerError(Exception):
    """No answer in time, or the answer of an overloaded server."""


class NoRoomError(NoAnswerError):
    """The server's shared memory is full: it works, but clients sent too much text."""


@dataclass(frozen=True)
class Row:
    """One request, ready to send, and its expected outputs."""

    model: str
    path: str
    batched: bool
    headers: Mapping[str, str]
    body: bytes
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Canary:
    """Golden requests for the server at `port`; `source` is the client's address.

    `agreement`: what is also measured before the server is ready; None: nothing.
    """

    rows: tuple[Row, ...]
    comparison: str
    tolerance: float
    port: int
    source: str = ""
    agreement: "Agreement | None" = None

    def check(self, row: Row, seconds: float) -> None:
        """Sends one row and compares the answer. Raises WrongAnswerError, NoAnswerError or NoRoomError."""
        body = ask(row, self.port, self.source, seconds)
        try:
            served = answer(body, batched=row.batched)
            difference(row.outputs, served, comparison=self.comparison, tolerance=self.tolerance)
        except Exception as error:  # an answer that cannot be compared is wrong
            raise WrongAnswerError(str(error) or repr(error)) from error


def ask(row: Row, port: int, source: str, seconds: float) -> bytes:
    """The body of the server's answer. Raises WrongAnswerError, NoAnswerError or NoRoomError if there is none."""
    path = f"/v2/models/{row.path}/infer"
    status, body = request(port, "POST", path, row.body, row.headers, source=source, seconds=seconds)
    text = body[:300].decode("utf-8", "replace")
    if status >= http.client.INTERNAL_SERVER_ERROR and (NO_ROOM.match(body) or body == TRY_LESS):
        raise NoRoomError(f"{http.client.SERVICE_UNAVAILABLE} {text}")
    if status in OVERLOADED or status == http.client.BAD_GATEWAY:  # the guard's answer if Triton does not respond
        raise NoAnswerError(f"{status} {text}")
    if status != http.client.OK:
        raise WrongAnswerError(f"status {status}: {text}")
    return body


def request(
    port: int,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] = {},
    *,
    source: str = "",
    seconds: float,
) -> tuple[int, bytes]:
    """Sends one HTTP request to this machine; returns (status, body). Raises NoAnswerError without a response.

    urllib would use the proxy settings that Docker passes to containers.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds, source_address=(source, 0))
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(str(error) or repr(error)) from error
    finally:
        connection.close()


def load(path: str, port: int, source: str = "") -> Canary:
    """Reads the smallest row of each model and version from a golden.json, a few more, and the agreement.

    Raises OSError, ValueError or KeyError for an invalid file.
    """
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 10 ms of every start
        golden = json.load(file)
    if golden["format"] != 2 or not golden["rows"]:
        raise ValueError(f"golden answers of format {golden['format']!r}")
    rows = sorted(golden["rows"], key=lambda row: len(json.dumps(row["inputs"])))
    by_path: dict[str, Any] = {}
    for row in rows:
        by_path.setdefault(_path(row), row)
    firsts = list(by_path.values())
    others = [row for row in rows if row not in firsts]
    agreement = None
    if "agreement" in golden:  # other images do not pay for the import
        from .agreement import of_golden

        agreement = of_golden(golden)
    return Canary(
        rows=tuple(prepared(row) for row in [*firsts, *others[: max(0, ROWS - len(firsts))]]),
        comparison=golden["comparison"],
        tolerance=golden["tolerance"],
        port=port,
        source=source,
        agreement=agreement,
    )


def _path(row: Mapping[str, Any]) -> str:
    """The model and its version in a URL."""
    return f"{row['model']}/versions/{row['version']}" if row.get("version") else str(row["model"])


def prepared(row: Mapping[str, Any], *further: Mapping[str, Any]) -> Row:
    """One request for a row, or for a batch of rows of one model with equal shapes and parameters.

    Inputs are sent as binary tensors, which can hold any bytes. JSON answers are requested if JSON has the type.
    """
    raw, tensors = b"", []
    for name, tensor in row["inputs"].items():
        content = b"".join(_raw(each["inputs"][name]) for each in (row, *further))
        shape = [1 + len(further), *tensor["shape"]] if row["batched"] else list(tensor["shape"])
        size = {"binary_data_size": len(content)}
        tensors.append({"name": name, "shape": shape, "datatype": tensor["datatype"], "parameters": size})
        raw += content
    is_half = any(tensor["datatype"] == "FP16" for tensor in row["outputs"].values())
    options = {"id": REQUEST_ID, "parameters": {**row.get("parameters", {}), "binary_data_output": is_half}}
    head = json.dumps({**options, "inputs": tensors}).encode()
    return Row(
        model=row["model"],
        path=_path(row),
        batched=row["batched"],
        # The id keeps these requests out of the request log (request_log.py).
        headers={"Inference-Header-Content-Length": str(len(head)), "X-Request-Id": "canary"},
        body=head + raw,
        outputs=row["outputs"],
    )


def _raw(tensor: Mapping[str, Any]) -> bytes:
    if tensor["datatype"] == "BYTES":
        texts = tensor["data"]
        values = [base64.b64decode(each["base64"]) if isinstance(each, dict) else str(each).encode() for each in texts]
        return b"".join(struct.pack("<I", len(value)) + value for value in values)
    return struct.pack(f"<{len(tensor['data'])}{FORMATS[tensor['datatype']]}", *tensor["data"])


def answer(body: bytes, *, batched: bool) -> dict[str, Any]:
    """The outputs in a response, shapes without the batch dimension."""
    _, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))  # one character per byte: binary tensors may follow
    head, rest = json.loads(body[:end].decode("utf-8", "surrogateescape")), body[end:]
    outputs = {}
    for output in head["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size", 0)
        raw, rest = rest[:size], rest[size:]
        outputs[output["name"]] = {
            "datatype": output["datatype"],
            "shape": output["shape"][1:] if batched else output["shape"],
            "data": [_text(value) for value in output["data"]]
            if "data" in output
            else _values(raw, output["datatype"]),
        }
    return outputs


def _values(raw: bytes, datatype: str) -> list[Any]:
    if datatype != "BYTES":
        return list(struct.unpack(f"<{len(raw) // struct.calcsize(FORMATS[datatype])}{FORMATS[datatype]}", raw))
    values, place = [], 0
    while place < len(raw):
        size = struct.unpack_from("<I", raw, place)[0]
        values.append(_text(raw[place + 4 : place + 4 + size].decode("utf-8", "surrogateescape")))
        place += 4 + size
    return values


def _text(value: Any) -> Any:
    """As in golden.json: a text, or base64 of bytes that are not UTF-8."""
    if isinstance(value, str) and re.search("[\udc80-\udcff]", value):
        return {"base64": base64.b64encode(value.encode("utf-8", "surrogateescape")).decode("ascii")}
    return value
