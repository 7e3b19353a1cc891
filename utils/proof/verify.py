"""Stage 7: asks a running server the golden requests, over HTTP and gRPC; its answers must be the original's."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from math import prod
from pathlib import Path
from typing import Any

from deploy.supervisor.comparison import difference
from utils.host.errors import BootProofError
from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, as_plain, read_golden
from utils.repository.pipeline import Pipeline
from utils.repository.tensors import TensorSpec
from utils.triton.address import ServerAddress

CLIENT_TIMEOUT = 60.0
# Answers of any size (tritonclient's own default), and no proxy: a container's address is not always the loopback.
GRPC_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]
# A request of the largest batch repeats so many of the shortest golden rows, and has no more rows than that.
SHORT_ROWS, MOST_ROWS = 8, 64

# A request for several rows of one model (a GoldenRow's path) -> {output name: tensor}, the batch dimension included.
Ask = Callable[[str, dict[str, TensorValue]], dict[str, TensorValue]]


def prove(address: ServerAddress, golden_file: Path, pipeline: Pipeline) -> str:
    """Every golden request alone and in batches, over each protocol; what was proven, in a few words.

    Raises BootProofError (exit 8) with the first request whose answer differs from the original's.
    """
    golden = read_golden(golden_file)
    protocols: dict[str, Ask] = {
        "HTTP": lambda model, inputs: _ask_http(address.http, model, inputs),
        "HTTP with JSON": lambda model, inputs: _ask_json(address.http, model, inputs),
        "gRPC": lambda model, inputs: _ask_grpc(address.grpc, model, inputs),
    }
    if not all(row.fits_json for row in golden.rows):
        del protocols["HTTP with JSON"]
    largest = 0.0
    for protocol, ask in protocols.items():
        for rows in _batches(golden.rows, pipeline):
            for row, answer in zip(rows, _answers(ask, rows, protocol), strict=True):
                largest = max(largest, _compare(golden, row, answer, protocol, pipeline))
    return f"{len(golden.rows)} golden requests over HTTP and gRPC: answers equal, largest difference {largest:.1e}"


def _batches(rows: Sequence[GoldenRow], pipeline: Pipeline) -> Iterator[tuple[GoldenRow, ...]]:
    """Each row alone, then those that can share a request in the largest batches: one model, equal shapes."""
    groups: dict[object, list[GoldenRow]] = {}
    for row in rows:
        yield (row,)
        if row.batched:
            shapes = tuple((name, tensor.shape) for name, tensor in row.inputs.items())
            groups.setdefault((row.path, shapes), []).append(row)
    sizes = {step.model_name: step.max_batch_size for step in pipeline.steps}
    for group in groups.values():
        size = sizes.get(group[0].model, pipeline.max_batch_size)
        yield from (tuple(group[start : start + size]) for start in range(0, len(group), size))
        yield from _other_sizes(group, size)


def _other_sizes(group: Sequence[GoldenRow], size: int) -> Iterator[tuple[GoldenRow, ...]]:
    """Two rows, three, and, where the group has fewer than `size`, as many short ones, repeated."""
    short = sorted(group, key=lambda row: sum(len(str(each.data)) for each in row.inputs.values()))[:SHORT_ROWS]
    for count in sorted({2, 3, min(size, MOST_ROWS)}):
        if 1 < count <= size and (count <= 3 or count > len(group)):
            yield tuple(islice(cycle(short), count))


def _answers(ask: Ask, rows: Sequence[GoldenRow], protocol: str) -> list[dict[str, TensorValue]]:
    inputs = {name: _stacked([row.inputs[name] for row in rows], rows[0].batched) for name in rows[0].inputs}
    try:
        outputs = ask(rows[0].path, inputs)
    except Exception as error:  # tritonclient, gevent, grpc and urllib each have their own
        reason = " ".join(str(error).split())[:300]
        raise BootProofError(f"the server did not answer {_say(rows[0])} over {protocol}: {reason}") from error
    if not rows[0].batched:
        return [outputs]
    for name, output in outputs.items():
        if output.shape[:1] != (len(rows),):
            raise BootProofError(f"the server gave {name} {list(output.shape)} to {len(rows)} rows over {protocol}")
    return [{name: _row(output, place) for name, output in outputs.items()} for place in range(len(rows))]


def _stacked(values: Sequence[TensorValue], batched: bool) -> TensorValue:
    if not batched:
        return values[0]
    data = tuple(element for value in values for element in value.data)
    return TensorValue(datatype=values[0].datatype, shape=(len(values), *values[0].shape), data=data)


def _row(output: TensorValue, place: int) -> TensorValue:
    size = prod(output.shape[1:])
    data = output.data[place * size : (place + 1) * size]
    return TensorValue(datatype=output.datatype, shape=output.shape[1:], data=data)


def _compare(
    golden: GoldenAnswers, row: GoldenRow, answer: dict[str, TensorValue], protocol: str, pipeline: Pipeline
) -> float:
    """The largest difference of one answer's numbers."""
    try:
        _check_shapes(answer, pipeline.outputs if row.model == pipeline.model_name else ())
        return difference(
            as_plain(row.outputs), as_plain(answer), comparison=golden.comparison, tolerance=golden.tolerance
        )
    except ValueError as error:
        raise BootProofError(
            f"over {protocol} the server does not answer {_say(row)} as the original: {error}"
        ) from error


def _check_shapes(answer: dict[str, TensorValue], outputs: Sequence[TensorSpec]) -> None:
    """The right rule may hold for a part of an answer; the plan says how much of one is served."""
    for spec in outputs:
        shape = answer[spec.name].shape if spec.name in answer else None
        if (
            shape is None
            or len(shape) != len(spec.dims)
            or any(wanted not in (-1, given) for wanted, given in zip(spec.dims, shape, strict=True))
        ):
            raise ValueError(f"{spec.name} has shape {list(shape or ())} where {list(spec.dims)} is right")


def _say(row: GoldenRow) -> str:
    values = [value for tensor in row.inputs.values() for value in tensor.data]
    return ", ".join(repr(value[:60] if isinstance(value, str | bytes) else value) for value in values[:3])


def _ask_http(address: str, model: str, inputs: dict[str, TensorValue]) -> dict[str, TensorValue]:
    import tritonclient.http as client

    with client.InferenceServerClient(
        address, connection_timeout=CLIENT_TIMEOUT, network_timeout=CLIENT_TIMEOUT
    ) as server:
        return _infer(client, server, model, inputs)


def _ask_grpc(address: str, model: str, inputs: dict[str, TensorValue]) -> dict[str, TensorValue]:
    import tritonclient.grpc as client

    with client.InferenceServerClient(address, channel_args=GRPC_OPTIONS) as server:
        return _infer(client, server, model, inputs, client_timeout=CLIENT_TIMEOUT)


def _infer(
    client: Any, server: Any, model: str, inputs: dict[str, TensorValue], **options: Any
) -> dict[str, TensorValue]:
    name, _, version = model.partition("/versions/")
    tensors = [infer_input(client, each, value) for each, value in inputs.items()]
    result = server.infer(name, tensors, model_version=version, **options)
    response = result.get_response()
    named = response["outputs"] if isinstance(response, dict) else response.outputs
    outputs = {}
    for each in named:
        name, datatype = (each["name"], each["datatype"]) if isinstance(each, dict) else (each.name, each.datatype)
        array = result.as_numpy(name)
        data = tuple(_decoded(value) for value in array.reshape(-1).tolist())
        outputs[name] = TensorValue(datatype=datatype, shape=tuple(array.shape), data=data)
    return outputs


def infer_input(client: Any, name: str, value: TensorValue) -> Any:
    """A tensor as tritonclient sends it; `client` is its module of a protocol."""
    import numpy as np
    from tritonclient.utils import triton_to_np_dtype

    data = [each.encode("utf-8") if isinstance(each, str) else each for each in value.data]
    array = np.array(data, dtype=triton_to_np_dtype(value.datatype)).reshape(value.shape)
    tensor = client.InferInput(name, list(value.shape), value.datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def _decoded(value: Any) -> Any:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _ask_json(address: str, model: str, inputs: dict[str, TensorValue]) -> dict[str, TensorValue]:
    """The request of the original documentation, plain JSON without a client library."""
    body = {"inputs": [{"name": name, **each} for name, each in as_plain(inputs).items()]}
    request = urllib.request.Request(f"http://{address}/v2/models/{model}/infer", data=json.dumps(body).encode("utf-8"))
    try:
        # A proxy of the user's has no part in this: the server is this machine's.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=CLIENT_TIMEOUT) as response:
            outputs = json.load(response)["outputs"]
    except urllib.error.HTTPError as error:
        raise OSError(f"it answered {error.code}: {error.read()[:300]!r}") from error
    return {
        each["name"]: TensorValue(datatype=each["datatype"], shape=tuple(each["shape"]), data=tuple(each["data"]))
        for each in outputs
    }
