"""Stage 7: sends the golden requests to a running server, over HTTP and gRPC, and compares the answers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, groupby, islice
from math import prod
from pathlib import Path
from typing import Any

from deploy.supervisor.comparison import difference
from utils.host.errors import BootProofError
from utils.host.exceptions import brief
from utils.proof.api import post_json, prove_api
from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, as_plain
from utils.proof.golden_file import read_golden
from utils.proof.served import ServedRow, write_served
from utils.repository import build_record
from utils.repository.context import API_FILE, GOLDEN_FILE
from utils.repository.pipeline import Pipeline
from utils.repository.tensors import TensorSpec
from utils.triton.address import ServerAddress

CLIENT_TIMEOUT = 60.0
# Messages of any size (tritonclient's default), and no proxy: a container's address need not be a loopback address.
GRPC_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]
# A request of the largest batch repeats the SHORT_ROWS shortest golden rows and has at most MAX_ROWS rows.
SHORT_ROWS, MAX_ROWS = 8, 64

# (path of a GoldenRow, {input name: tensor}, parameters) -> {output name: tensor}; shapes include the batch dimension.
Infer = Callable[[str, dict[str, TensorValue], Mapping[str, Any]], dict[str, TensorValue]]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What the golden requests showed, one of `rows` for each; batches of them were sent over `protocols`, too.

    `api_requests`: how many were sent through the routes of --api.
    """

    rows: tuple[ServedRow, ...]
    protocols: tuple[str, ...]
    api_requests: int = 0

    @property
    def largest_difference(self) -> float:
        """Of a number and the reference model's."""
        return max(row.difference for row in self.rows)

    @property
    def figures(self) -> dict[str, Any]:
        """For build.json."""
        return {
            "requests": len(self.rows),
            "protocols": self.protocols,
            "largest_difference": self.largest_difference,
            **({"api_requests": self.api_requests} if self.api_requests else {}),
        }

    def __str__(self) -> str:
        return (
            f"{len(self.rows)} golden requests over HTTP and gRPC: answers equal, "
            f"largest difference {self.largest_difference:.1e}"
            + (f"; {self.api_requests} through the routes of --api" if self.api_requests else "")
        )


def prove(address: ServerAddress, golden_file: Path, pipeline: Pipeline) -> Proof:
    """Sends every golden request alone and in batches, over each protocol.

    Raises BootProofError (exit 8) with the first request whose answer differs from the reference model's.
    """
    golden = read_golden(golden_file)
    protocols: dict[str, Infer] = {
        "HTTP": lambda *request: _infer_http(address.http, *request),
        "HTTP with JSON": lambda *request: _infer_json(address.http, *request),
        "gRPC": lambda *request: _infer_grpc(address.grpc, *request),
    }
    if not all(row.fits_json for row in golden.rows):
        del protocols["HTTP with JSON"]
    served: dict[int, ServedRow] = {}  # by id(row); the first answer is that to the row alone
    for protocol, infer in protocols.items():
        for rows in _batches(golden.rows, pipeline):
            for row, answer in zip(rows, _answers(infer, rows, protocol), strict=True):
                size = _compare(golden, row, answer, protocol, pipeline)
                first = served.setdefault(id(row), ServedRow(outputs=answer, difference=size))
                served[id(row)] = replace(first, difference=max(first.difference, size))
    return Proof(rows=tuple(served[id(row)] for row in golden.rows), protocols=tuple(protocols))


def prove_and_record(address: ServerAddress, tree: Path, pipeline: Pipeline) -> Proof:
    """Proves the server of a build tree; the figures go into the tree's build.json, the answers into served.json."""
    build_record.add(tree, proof=None)
    proof = prove(address, tree / GOLDEN_FILE, pipeline)
    if address.api:
        proof = replace(proof, api_requests=prove_api(address.api, tree / GOLDEN_FILE, tree / API_FILE))
    build_record.add(tree, proof=proof.figures)
    write_served(proof.rows, tree)
    return proof


def served_answers(
    address: ServerAddress, pipeline: Pipeline, requests: Iterable[Mapping[str, TensorValue]]
) -> Iterator[Mapping[str, TensorValue]]:
    """The answer to each request, in order; BootProofError if there is none. One batch at a time is in memory.

    Names are the served ones. Neighbours whose tensors have the same shapes share a batch.
    """
    for _, group in groupby(requests, key=lambda request: [tensor.shape for tensor in request.values()]):
        rows = (GoldenRow(model=pipeline.model_name, batched=True, inputs=each, outputs={}) for each in group)
        while batch := list(islice(rows, pipeline.max_batch_size)):
            yield from _answers(lambda *request: _infer_grpc(address.grpc, *request), batch, "gRPC")


def _batches(rows: Sequence[GoldenRow], pipeline: Pipeline) -> Iterator[tuple[GoldenRow, ...]]:
    """Each row alone, then batches of rows with one model, equal shapes and parameters, as large as allowed."""
    groups: dict[object, list[GoldenRow]] = {}
    for row in rows:
        yield (row,)
        if row.batched:
            shapes = tuple((name, tensor.shape) for name, tensor in row.inputs.items())
            groups.setdefault((row.path, shapes, tuple(row.parameters.items())), []).append(row)
    sizes = {step.model_name: step.max_batch_size for step in pipeline.steps}
    for group in groups.values():
        size = sizes.get(group[0].model, pipeline.max_batch_size)
        yield from (tuple(group[start : start + size]) for start in range(0, len(group), size))
        yield from _other_sizes(group, size)


def _other_sizes(group: Sequence[GoldenRow], size: int) -> Iterator[tuple[GoldenRow, ...]]:
    """Batches of two and of three rows, and one of `size` rows, repeated if the group has fewer."""
    short = sorted(group, key=lambda row: sum(len(str(each.data)) for each in row.inputs.values()))[:SHORT_ROWS]
    for count in sorted({2, 3, min(size, MAX_ROWS)}):
        if 1 < count <= size and (count <= 3 or count > len(group)):
            yield tuple(islice(cycle(short), count))


def _answers(infer: Infer, rows: Sequence[GoldenRow], protocol: str) -> list[dict[str, TensorValue]]:
    inputs = {name: stacked([row.inputs[name] for row in rows], rows[0].batched) for name in rows[0].inputs}
    try:
        outputs = infer(rows[0].path, inputs, rows[0].parameters)
    except Exception as error:  # tritonclient, gevent, grpc and urllib raise different types
        raise BootProofError(
            f"the server did not answer {_describe(rows[0])} over {protocol}: {brief(error)}"
        ) from error
    if not rows[0].batched:
        return [outputs]
    for name, output in outputs.items():
        if output.shape[:1] != (len(rows),):
            raise BootProofError(f"output {name} has shape {list(output.shape)} for {len(rows)} rows over {protocol}")
    return [{name: _row(output, index) for name, output in outputs.items()} for index in range(len(rows))]


def stacked(values: Sequence[TensorValue], batched: bool) -> TensorValue:
    """The tensors of rows as one with a batch dimension; that of a model without batches as it is."""
    if not batched:
        return values[0]
    data = tuple(element for value in values for element in value.data)
    return TensorValue(datatype=values[0].datatype, shape=(len(values), *values[0].shape), data=data)


def _row(output: TensorValue, index: int) -> TensorValue:
    size = prod(output.shape[1:])
    data = output.data[index * size : (index + 1) * size]
    return TensorValue(datatype=output.datatype, shape=output.shape[1:], data=data)


def _compare(
    golden: GoldenAnswers, row: GoldenRow, answer: dict[str, TensorValue], protocol: str, pipeline: Pipeline
) -> float:
    """The largest difference between the numbers of one answer and its golden answer."""
    try:
        _check_shapes(answer, pipeline.outputs if row.model == pipeline.model_name else ())
        return difference(
            as_plain(row.outputs), as_plain(answer), comparison=golden.comparison, tolerance=golden.tolerance
        )
    except ValueError as error:
        raise BootProofError(
            f"the server's answer to {_describe(row)} over {protocol} differs from the reference model's: {error}"
        ) from error


def _check_shapes(answer: dict[str, TensorValue], outputs: Sequence[TensorSpec]) -> None:
    """Checks the shapes of the pipeline's outputs: the comparison rule may accept a part of an answer."""
    for spec in outputs:
        shape = answer[spec.name].shape if spec.name in answer else None
        if (
            shape is None
            or len(shape) != len(spec.dims)
            or any(dim not in (-1, size) for dim, size in zip(spec.dims, shape, strict=True))
        ):
            raise ValueError(f"{spec.name} has shape {list(shape or ())}, expected {list(spec.dims)}")


def _describe(row: GoldenRow) -> str:
    values = [value for tensor in row.inputs.values() for value in tensor.data]
    chosen = f" with {', '.join(f'{name}={value}' for name, value in row.parameters.items())}" if row.parameters else ""
    return ", ".join(repr(value[:60] if isinstance(value, str | bytes) else value) for value in values[:3]) + chosen


def _infer_http(
    address: str, model: str, inputs: dict[str, TensorValue], parameters: Mapping[str, Any] = {}
) -> dict[str, TensorValue]:
    import tritonclient.http as client

    with client.InferenceServerClient(
        address, connection_timeout=CLIENT_TIMEOUT, network_timeout=CLIENT_TIMEOUT
    ) as server:
        return _infer_with(client, server, model, inputs, parameters=dict(parameters))


def _infer_grpc(
    address: str, model: str, inputs: dict[str, TensorValue], parameters: Mapping[str, Any] = {}
) -> dict[str, TensorValue]:
    import tritonclient.grpc as client

    with client.InferenceServerClient(address, channel_args=GRPC_OPTIONS) as server:
        options = {"parameters": dict(parameters), "client_timeout": CLIENT_TIMEOUT}
        return _infer_with(client, server, model, inputs, **options)


def _infer_with(
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
    """The tensor as an InferInput of `client`, tritonclient's module for a protocol."""
    import numpy as np
    from tritonclient.utils import triton_to_np_dtype

    data = [each.encode("utf-8") if isinstance(each, str) else each for each in value.data]
    array = np.array(data, dtype=triton_to_np_dtype(value.datatype)).reshape(value.shape)
    tensor = client.InferInput(name, list(value.shape), value.datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def _decoded(value: Any) -> Any:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _infer_json(
    address: str, model: str, inputs: dict[str, TensorValue], parameters: Mapping[str, Any] = {}
) -> dict[str, TensorValue]:
    """Sends a plain JSON request, as in docs/usage.md, without a client library."""
    own = {"parameters": dict(parameters)} if parameters else {}
    body = {**own, "inputs": [{"name": name, **each} for name, each in as_plain(inputs).items()]}
    outputs = post_json(f"http://{address}/v2/models/{model}/infer", body)["outputs"]
    return {
        each["name"]: TensorValue(datatype=each["datatype"], shape=tuple(each["shape"]), data=tuple(each["data"]))
        for each in outputs
    }
