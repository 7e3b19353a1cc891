"""Asks the served model over gRPC: rows of texts in, one row of arrays for each out."""

import asyncio
import struct
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import grpc
import grpc.aio
import numpy as np

from .errors import FAILED, OVERLOADED, REFUSED, ApiError, Kind
from .facts import Facts
from .messages import CLASSES, SERVICE

# The batches of one request that Triton works on at a time: it forms larger batches of those that wait.
AT_ONCE = 8
READY_SECONDS = 5.0
OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]
DTYPES = {"FP32": "<f4", "INT64": "<i8"}
KINDS: Mapping[grpc.StatusCode, Kind] = {
    grpc.StatusCode.INVALID_ARGUMENT: REFUSED,
    grpc.StatusCode.UNAVAILABLE: OVERLOADED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OVERLOADED,
}

Row = tuple[Any, ...]


class Triton:
    """One connection to Triton. Each method raises ApiError."""

    def __init__(self, channel: grpc.aio.Channel, facts: Facts) -> None:
        self._facts = facts
        self._infer, self._ready = _method(channel, "ModelInfer"), _method(channel, "ServerReady")

    async def is_ready(self) -> bool:
        """Whether Triton and its models are ready."""
        try:
            answer = await self._ready(CLASSES["ServerReadyRequest"](), timeout=READY_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.ready)

    async def infer(self, columns: Sequence[Sequence[str]], parameters: Mapping[str, str | int]) -> list[Row]:
        """The outputs of each row, in the order of `facts.outputs`: arrays FP32 or INT64, or lists of str.

        `columns`: the texts of each input. Rows beyond max_batch_size go into further requests, AT_ONCE at a time.
        """
        count, size = len(columns[0]), max(1, self._facts.max_batch_size)
        room = asyncio.Semaphore(AT_ONCE)

        async def part(start: int) -> list[Row]:
            async with room:
                return await self._ask([column[start : start + size] for column in columns], parameters)

        if count <= size:
            return await part(0)
        tasks = [asyncio.ensure_future(part(start)) for start in range(0, count, size)]
        try:
            return [row for rows in await asyncio.gather(*tasks) for row in rows]
        finally:
            for task in tasks:  # after a failure, the rest is not asked
                task.cancel()

    async def _ask(self, columns: Sequence[Sequence[str]], parameters: Mapping[str, str | int]) -> list[Row]:
        try:
            answer = await self._infer(self._request(columns, parameters))
        except grpc.aio.AioRpcError as error:
            raise ApiError(KINDS.get(error.code(), FAILED), error.details() or error.code().name) from error
        pairs = zip(answer.outputs, answer.raw_output_contents, strict=True)
        found = {tensor.name: _values(tensor, raw) for tensor, raw in pairs}
        return list(zip(*(found[name] for name in self._facts.outputs), strict=True))

    def _request(self, columns: Sequence[Sequence[str]], parameters: Mapping[str, str | int]) -> Any:
        request = CLASSES["ModelInferRequest"](model_name=self._facts.model, model_version=self._facts.version)
        for name, value in parameters.items():
            kind = "string_param" if isinstance(value, str) else "int64_param"
            request.parameters.add(key=name, value={kind: value})
        for name, column in zip(self._facts.inputs, columns, strict=True):
            request.inputs.add(name=name, datatype="BYTES", shape=[len(column), 1])
            request.raw_input_contents.append(b"".join(map(_with_length, column)))
        for name in self._facts.outputs:
            request.outputs.add(name=name)
        return request


def _method(channel: grpc.aio.Channel, name: str) -> Callable[..., Any]:
    sent, received = CLASSES[f"{name}Request"], CLASSES[f"{name}Response"]
    method: Callable[..., Any] = channel.unary_unary(
        f"{SERVICE}/{name}", request_serializer=sent.SerializeToString, response_deserializer=received.FromString
    )
    return method


def _with_length(text: str) -> bytes:
    content = text.encode("utf-8")
    return struct.pack("<I", len(content)) + content


def _values(tensor: Any, raw: bytes) -> Sequence[Any]:
    """One value for each row of the tensor."""
    if tensor.datatype == "BYTES":
        width = prod(tensor.shape[1:])
        texts = list(_texts(raw))
        return [texts[start : start + width] for start in range(0, len(texts), width)]
    return list(np.frombuffer(raw, DTYPES[tensor.datatype]).reshape(tuple(tensor.shape)))


def _texts(raw: bytes) -> Sequence[str]:
    texts, place = [], 0
    while place < len(raw):
        (length,) = struct.unpack_from("<I", raw, place)
        texts.append(raw[place + 4 : place + 4 + length].decode("utf-8", errors="replace"))
        place += 4 + length
    return texts
