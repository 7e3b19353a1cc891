"""What a client can ask of a server, independent of the protocol, and the tensors in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
# The names of the protocol's datatypes in numpy. BYTES are arrays of bytes objects.
DTYPES = {
    "BOOL": "?",
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    "BYTES": "O",
}


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """A tensor of a served model. `shape` begins with -1 if the model takes batches."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Answer of Describe."""

    name: str
    versions: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, kw_only=True)
class BytesInput:
    """An input tensor of the datatype BYTES: texts in UTF-8, or files."""

    name: str
    shape: tuple[int, ...]
    values: Sequence[bytes]


@dataclass(frozen=True, kw_only=True)
class Infer:
    """Asks the model; the answer is {output name: array}. `binary`: numbers in both directions are not JSON."""

    model: str
    version: str
    inputs: tuple[BytesInput, ...]
    outputs: tuple[str, ...]
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    binary: bool = False


@dataclass(frozen=True, kw_only=True)
class Describe:
    """Asks for Metadata."""

    model: str
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class BatchLimit:
    """Asks for the model's max_batch_size, an int. The image answers only with its admin key."""

    model: str
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class Index:
    """Asks for the names of all models that are ready. The image answers only with its admin key."""


Call: TypeAlias = Infer | Describe | BatchLimit | Index


def to_raw(values: Sequence[bytes]) -> bytes:
    """The binary form of BYTES: each value after its length, 4 bytes little-endian."""
    return b"".join(part for value in values for part in (len(value).to_bytes(4, "little"), value))


def from_raw(datatype: str, shape: Sequence[int], raw: bytes) -> Array:
    """The array of a tensor's binary form."""
    if datatype != "BYTES":
        return np.frombuffer(raw, dtype=DTYPES[datatype]).reshape(shape)
    values, place = [], 0
    while place < len(raw):
        end = place + 4 + int.from_bytes(raw[place : place + 4], "little")
        values.append(raw[place + 4 : end])
        place = end
    return of_bytes(values, shape)


def of_bytes(values: Sequence[bytes], shape: Sequence[int]) -> Array:
    """An array of bytes objects. numpy's own conversion would cut zeros at the end of a value."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)
