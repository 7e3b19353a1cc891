"""Calls as HTTP requests of the V2 inference protocol, with Triton's binary tensor extension, and back."""

import email.utils
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np

from triton_image_client.calls import (
    DTYPES,
    Array,
    BatchLimit,
    BytesInput,
    Call,
    Describe,
    Index,
    Metadata,
    TensorSpec,
    from_raw,
    of_bytes,
    to_raw,
)
from triton_image_client.errors import InternalError, ServerError, of_server

HEADER_LENGTH = "inference-header-content-length"
# Most characters of an answer that is not JSON, such as a proxy's page, in a message.
EXCERPT = 200


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """`path` begins with /v2."""

    method: str
    path: str
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def encode(call: Call) -> HttpRequest:
    """The request for a call."""
    if isinstance(call, Index):
        return HttpRequest(method="POST", path="/v2/repository/index", content=b'{"ready": true}')
    version = f"/versions/{quote(call.version, safe='')}" if call.version else ""
    path = f"/v2/models/{quote(call.model, safe='')}{version}"
    if isinstance(call, Describe):
        return HttpRequest(method="GET", path=path)
    if isinstance(call, BatchLimit):
        return HttpRequest(method="GET", path=f"{path}/config")
    document: dict[str, Any] = {
        "inputs": [_input(each, call.binary) for each in call.inputs],
        "outputs": [{"name": name, "parameters": {"binary_data": call.binary}} for name in call.outputs],
    }
    if call.parameters:
        document["parameters"] = dict(call.parameters)
    header = json.dumps(document, ensure_ascii=False).encode()
    headers = {"content-type": "application/json"}
    if call.binary:
        headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(header))}
        header += b"".join(to_raw(each.values) for each in call.inputs)
    return HttpRequest(method="POST", path=f"{path}/infer", content=header, headers=headers)


def _input(tensor: BytesInput, binary: bool) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tensor.name, "shape": tensor.shape, "datatype": "BYTES"}
    if binary:
        size = sum(4 + len(value) for value in tensor.values)
        return {**described, "parameters": {"binary_data_size": size}}
    return {**described, "data": [value.decode() for value in tensor.values]}


def decode(call: Call, status: int, headers: Mapping[str, str], content: bytes) -> Any:
    """The result of a call: see the classes of calls. `headers` has names in lower case.

    Raises the error that the answer stands for.
    """
    if status != 200:
        raise error(status, headers, content)
    length = int(headers.get(HEADER_LENGTH, len(content)))
    try:
        document = json.loads(content[:length])
        return _result(call, document, content[length:])
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InternalError(
            f"the answer is not that of a V2 inference server ({problem!r}): {_excerpt(content)}", status=status
        ) from problem


def _result(call: Call, document: Any, raw: bytes) -> Any:
    if isinstance(call, Index):
        return [each["name"] for each in document if each.get("state", "READY") == "READY"]
    if isinstance(call, BatchLimit):
        return int(document.get("max_batch_size", 0))
    if isinstance(call, Describe):
        inputs, outputs = (tuple(map(_spec, document[kind])) for kind in ("inputs", "outputs"))
        return Metadata(
            name=document["name"], versions=tuple(document.get("versions", ())), inputs=inputs, outputs=outputs
        )
    arrays: dict[str, Array] = {}
    for tensor in document["outputs"]:
        size = tensor.get("parameters", {}).get("binary_data_size")
        if size is None:
            arrays[tensor["name"]] = _from_json(tensor)
        else:
            arrays[tensor["name"]] = from_raw(tensor["datatype"], tensor["shape"], raw[:size])
            raw = raw[size:]
    return arrays


def _spec(tensor: Mapping[str, Any]) -> TensorSpec:
    return TensorSpec(name=tensor["name"], datatype=tensor["datatype"], shape=tuple(tensor["shape"]))


def _from_json(tensor: Mapping[str, Any]) -> Array:
    if tensor["datatype"] == "BYTES":
        return of_bytes([value.encode() for value in tensor["data"]], tensor["shape"])
    array: Array = np.array(tensor["data"], dtype=DTYPES[tensor["datatype"]]).reshape(tensor["shape"])
    return array


def error(status: int, headers: Mapping[str, str], content: bytes) -> ServerError:
    """The error for a status other than 200. Its words are those of {"error": ...}, or the start of another body."""
    try:
        message = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        message = _excerpt(content) or "the answer has no body"
    return of_server(status, str(message), _seconds(headers.get("retry-after", "")))


def _seconds(retry_after: str) -> float:
    """Of a Retry-After header: seconds or a date (RFC 9110, 10.2.3). 0 for anything else."""
    if retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0


def _excerpt(content: bytes) -> str:
    return " ".join(content.decode(errors="replace").split())[:EXCERPT]
