"""Inputs for a ready graph: made up so that any graph can take them, or read from a file of the user's."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from utils.convert.onnx.ready_graph import GraphTensor, OnnxGraph
from utils.host.errors import SourceError
from utils.host.exceptions import brief

Arrays = Mapping[str, Any]
# Sizes to try where a dimension is free: small, then what networks that halve an image several times divide by.
SIZES = (4, 32, 1, 8, 64, 128, 224, 512)
FILLS = ("normal", "unit", "ones")
ROWS = 4
# Golden requests are kept as JSON: of large tensors two are enough to show that rows do not mix.
LARGE = 100_000


def has_free_sizes(graph: OnnxGraph) -> bool:
    """Is there a size to choose, the number of rows apart?"""
    return any(isinstance(size, str) for tensor in graph.inputs for size in tensor.shape[graph.may_be_batched :])


def made_up(graph: OnnxGraph, size: int, fill: str) -> Iterator[Arrays]:
    """The same ones each time; of a graph that may be batched each is one row."""
    shapes = {tensor.name: _shape(tensor, size, batched=graph.may_be_batched) for tensor in graph.inputs}
    large = sum(int(np.prod(shape)) for shape in shapes.values()) > LARGE
    for seed in range(2 if large else ROWS):
        random = np.random.default_rng(seed)
        drawn = {tensor.name: _values(random, tensor, shapes[tensor.name], fill) for tensor in graph.inputs}
        yield {name: np.asarray(value) for name, value in drawn.items()}  # numpy draws a scalar as no array


def _shape(tensor: GraphTensor, size: int, *, batched: bool) -> tuple[int, ...]:
    whole = tuple(each if isinstance(each, int) else size for each in tensor.shape)
    return (1, *whole[1:]) if batched else whole


def _values(random: np.random.Generator, tensor: GraphTensor, shape: tuple[int, ...], fill: str) -> Any:
    """Integers are 0 or 1, which are tokens, masks and indices alike; floats have few digits, for short JSON."""
    if tensor.dtype == "BYTES":
        return random.integers(0, 10, shape).astype(str).astype(object)
    if tensor.dtype.startswith("FP"):
        values = {"normal": random.normal(size=shape), "unit": random.random(size=shape), "ones": np.ones(shape)}
        return np.round(values[fill], 3).astype(_numpy_dtype(tensor))
    return random.integers(0, 2, shape).astype(_numpy_dtype(tensor))


def _numpy_dtype(tensor: GraphTensor) -> Any:
    names = {"BYTES": "object", "FP16": "float16", "FP32": "float32", "FP64": "float64"}
    return np.dtype(names.get(tensor.dtype, tensor.dtype.lower()))


def read_inputs(file: Path, graph: OnnxGraph) -> list[Arrays]:
    """The arrays of an .npz file, one for each input; rows along the first dimension where there is a batch."""
    try:
        with np.load(file, allow_pickle=False) as content:
            arrays = dict(content)
    except Exception as error:  # zipfile's, zlib's and numpy's own
        raise SourceError(
            f"--golden-inputs {str(file)!r} is no .npz file of arrays ({brief(error)}); write it with numpy.savez"
        ) from error
    names = {tensor.name for tensor in graph.inputs}
    if set(arrays) != names:
        raise SourceError(
            f"--golden-inputs {str(file)!r} has {', '.join(sorted(arrays)) or 'nothing'}; {graph.file.name} takes "
            f"{', '.join(sorted(names))}"
        )
    for tensor in graph.inputs:
        _check(file, tensor, arrays[tensor.name])
    cast = {tensor.name: arrays[tensor.name].astype(_numpy_dtype(tensor)) for tensor in graph.inputs}
    if graph.may_be_batched and len({len(array) for array in cast.values()}) > 1:
        raise SourceError(f"--golden-inputs {str(file)!r} has arrays of different numbers of rows; give each as many")
    return [cast]


def _check(file: Path, tensor: GraphTensor, array: Any) -> None:
    kind_needed = "US" if tensor.dtype == "BYTES" else _numpy_dtype(tensor).kind
    sizes = zip(tensor.shape, array.shape, strict=False)
    if (
        array.dtype.kind not in {"i": "iu", "u": "iu"}.get(kind_needed, kind_needed)
        or len(array.shape) != len(tensor.shape)
        or 0 in array.shape
        or any(isinstance(size, int) and size != found for size, found in sizes)
    ):
        shape = [size if isinstance(size, int) else "any" for size in tensor.shape]
        raise SourceError(
            f"--golden-inputs {str(file)!r}: {tensor.name!r} is {array.dtype} {list(array.shape)}, and the graph "
            f"takes {tensor.dtype} {shape}; rows stand along the first dimension"
        )
