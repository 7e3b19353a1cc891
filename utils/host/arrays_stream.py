"""Named arrays through a pipe between two Pythons, whose numpy may differ."""

import io
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

LENGTH_BYTES = 8


def write_arrays(stream: IO[bytes], arrays: Mapping[str, Any]) -> None:
    """The length of an .npz file, and the file."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    stream.write(len(content.getbuffer()).to_bytes(LENGTH_BYTES, "little") + content.getvalue())
    stream.flush()


def read_arrays(stream: IO[bytes]) -> dict[str, Any]:
    """What `write_arrays` wrote, in its order; nothing when the other side has ended."""
    header = stream.read(LENGTH_BYTES)
    if len(header) < LENGTH_BYTES:
        return {}
    with np.load(io.BytesIO(stream.read(int.from_bytes(header, "little"))), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
